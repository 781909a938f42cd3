// Runs prepared tasks: starts them through the keeper with the whole contract, watches their steps
// and checkpoints, and collects what they leave when they have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "worker/checkpoint/uploader.h"
#include "worker/core/effect.h"
#include "worker/core/event.h"
#include "worker/gpu_watch.h"
#include "worker/link/rendezvous.h"
#include "worker/link/spool.h"
#include "worker/preparer.h"
#include "worker/task/launcher.h"

namespace baton::worker {

struct RunnerOptions {
  std::string keeper;                  // program
  std::string step_program;            // baton-step
  std::string trainer;                 // program of native jobs
  std::vector<std::string> inherited;  // the worker's environment
  std::string kept;                    // folder for outputs that could not be uploaded
  // A task that fails while its disk has less free than this was failed by the disk.
  int64_t disk_bytes_min = int64_t{4} << 20;
};

// What it works with; all outlive it.
struct RunnerParts {
  const Preparer& preparer;
  Spool& spool;
  Rendezvous& rendezvous;
  Uploader& uploader;
  const Clock& clock;
};

// Thread-safe.
class Runner {
 public:
  // `emit` gets TaskStarted, TaskFailed, TaskComplained, TaskExited, TaskProgressed and
  // TaskCollected, on any thread.
  static absl::StatusOr<std::unique_ptr<Runner>> Create(const RunnerOptions& options,
                                                        const RunnerParts& parts,
                                                        std::function<void(Event)> emit);
  // Ends all tasks.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void Start(const Wanted& task);
  void WriteNotice(const TaskKey& key, TaskNotice notice, int64_t unix_ms,
                   const std::string& reason);
  void RemoveDeadline(const TaskKey& key);
  void Terminate(const struct Terminate& terminate);
  void Kill(const TaskKey& key);
  void Collect(const struct Collect& collect);
  // The local copy of a committed checkpoint stays until a newer one is committed.
  void CheckpointDone(const TaskKey& key, const std::string& name, bool committed);
  void Remove(const TaskKey& key);

  // Looks at steps and checkpoints; called some fifty times a second by one thread.
  void Poll();

  // The native tasks with cards that have finished a step: a user's program may write its metrics
  // in a way that takes no lines of others.
  std::vector<CardTask> CardTasks() const;

  // For the uploader's `finished`.
  void OnUploaded(const TaskKey& key, const UploadedOutput& output);

  // Tells the job's owner: a line in the task's log, and a word to the scheduler.
  void Complain(const TaskKey& key, const std::string& text);

 private:
  struct State;
  explicit Runner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
