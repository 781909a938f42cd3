// Writes checkpoints behind the next steps: whole, or not at all.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "trainer/checkpoint/definition.h"
#include "trainer/checkpoint/snapshot.h"

namespace baton::trainer {

struct CheckpointOptions {
  std::string folder;  // made when it does not exist
  Definition definition;
  Identity identity;
  // Newest names that stay; older ones go once a newer one is whole. More than one, since whoever
  // uploads may still be reading the one before.
  int keep = 2;
};

// Writes `<folder>/step-<n>.tmp/`, syncs it and renames it to `<folder>/step-<n>/`. An error
// leaves nothing behind under either name; RESOURCE_EXHAUSTED means that the disk is full.
absl::Status WriteCheckpoint(const CheckpointOptions& options, const Snapshot& snapshot);

// A thread that writes one snapshot at a time. Calls from one thread.
class CheckpointWriter {
 public:
  // Also removes what a killed process left half-written in the folder.
  explicit CheckpointWriter(CheckpointOptions options);
  // Waits for the write under way.
  ~CheckpointWriter();

  // False while the snapshot belongs to a write under way.
  bool idle();
  // The memory to take the next snapshot into; only while idle.
  Snapshot& snapshot() { return snapshot_; }
  // Begins to write the snapshot; only while idle.
  void Start();
  // Waits until idle, at most `timeout`; false when the time was not enough.
  bool Wait(std::chrono::milliseconds timeout);

  // Of the last write that ended. Failures are also logged once each, as a warning.
  struct Result {
    absl::Status status;
    int64_t step = -1;     // of the newest checkpoint that is whole, -1 before the first
    double write_s = 0;    // what the last write took
    int64_t attempts = 0;  // writes that ended so far
  };
  Result result();

 private:
  void Run();

  const CheckpointOptions options_;
  Snapshot snapshot_;  // the thread's while busy_, else the caller's
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;  // this and all below: under mutex_
  bool stop_ = false;
  Result result_;
  std::thread thread_;
};

}  // namespace baton::trainer
