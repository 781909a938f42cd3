// Carries what tasks print and measure to the scheduler. Logs come through a pipe and lie in a file
// until they are acknowledged, so a task neither waits for the network nor fails on a full disk;
// metrics lie in the file that the task writes. While the scheduler is connected a task that prints
// faster than the line is slowed down (its pipe is not read); while it is away, or the disk is
// full, what does not fit is lost and a marker line says so.
//
// What a worker that died had spooled is sent by the next one on the same folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/core/task.h"

namespace baton::worker {

struct SpoolOptions {
  std::string folder;                           // exists
  int64_t bytes_max = int64_t{1} << 30;         // unacknowledged, of all streams together
  int64_t stream_bytes_max = int64_t{8} << 20;  // of one log while connected; then its task waits
  int64_t window_bytes = int64_t{1} << 20;      // sent and not acknowledged, of one stream
};

struct Chunk {
  TaskKey key;
  bool metrics = false;
  int64_t offset = 0;
  std::string bytes;  // up to 64 KiB
};

// What a task wrote in all.
struct StreamEnds {
  int64_t log_bytes = 0;
  int64_t metrics_bytes = 0;
  std::string last_line;  // that it printed, as the bytes came; empty: none
};

// Thread-safe; one thread of its own.
class Spool {
 public:
  // `send` is called on the spool's thread; false: no room, Wake will be called when there is.
  static absl::StatusOr<std::unique_ptr<Spool>> Create(const SpoolOptions& options,
                                                       std::function<bool(Chunk)> send);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Reads along: the bytes that the task prints, and once none at all: it has printed its last. Its
  // own metrics may grow by it.
  using Listener = std::function<void(absl::string_view bytes)>;

  // Returns the descriptor that the task gets as stdout and stderr; the caller closes it once the
  // task has it. `metrics_file` need not exist. Again for the same task: its log goes on behind
  // what came before. `secrets` are taken out of the log (mask.h). `listener` may be null; called
  // on the spool's thread, or by whoever calls Say, never at the same time; it calls nothing of the
  // spool.
  absl::StatusOr<int> Add(const TaskKey& key, const std::string& metrics_file,
                          const std::vector<std::string>& secrets = {},
                          Listener listener = nullptr);
  // A line of the worker's own, "[baton: TEXT]", behind what the task has printed so far. Nothing
  // happens when the task's log is finished, or unknown.
  void Say(const TaskKey& key, const std::string& text);
  // The task's processes are gone: takes what is left in the pipe, moves the metrics file into the
  // spool, and calls `done` on the spool's thread. Again, or for a task that it does not know: only
  // calls `done`.
  void Finish(const TaskKey& key, std::function<void(StreamEnds)> done);

  void SetConnected(bool connected);
  void Acknowledge(const TaskKey& key, bool metrics, int64_t offset);
  // Bytes that no scheduler has acknowledged.
  int64_t Unacked() const;
  // The line has room again.
  void Wake();

 private:
  struct State;
  explicit Spool(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
