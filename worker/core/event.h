// Everything that can happen to the agent.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "worker/core/task.h"

namespace baton::worker {

// A stream to the scheduler is open: the hello is due.
struct LinkUp {};
struct LinkLost {};

struct Welcomed {
  uint64_t term = 0;
  int64_t heartbeat_ms = 1000;
};

// The whole wanted set. Refused when its term is lower than one seen, ignored when its sequence is
// lower than the last one of the term.
struct WantedSet {
  uint64_t term = 0;
  uint64_t sequence = 0;
  std::vector<Wanted> tasks;
};

struct ReportAcked {
  TaskKey key;
  Stage stage = Stage::kNone;
};

struct CheckpointAcked {
  TaskKey key;
  std::string name;
  bool committed = false;
  std::string refusal;
};

// Package, environment, data and checkpoint are on disk, a port is chosen.
struct TaskPrepared {
  TaskKey key;
  std::string address;
  int32_t port = 0;
  int64_t setup_ms = 0;
  int64_t restore_ms = 0;
  std::vector<Fetched> data = {};
  std::string environment_json = {};
};

// Could not be prepared or not be started, or the preparation was given up.
struct TaskFailed {
  TaskKey key;
  std::string error;
  bool infrastructure = false;  // the node's fault, not the program's
  std::string bad_checkpoint;
  int64_t log_bytes = 0;  // that its preparing printed
};

struct TaskStarted {
  TaskKey key;
  int32_t pid = 0;
};

// Something that the job's owner has to know while the task goes on: its checkpoint is refused, its
// outputs can't be uploaded yet.
struct TaskComplained {
  TaskKey key;
  std::string text;  // one sentence
};

struct TaskProgressed {
  StepProgress progress;
  int64_t touched_ms = 0;  // unix: when the program last wrote how far it is
};

// No process of the task is left.
struct TaskExited {
  TaskKey key;
  int32_t code = 0;
  std::string error;            // empty, or why it ended, when not by itself
  bool infrastructure = false;  // the keeper died
  std::string cause;            // as in Report
};

// After an exit: all that could be uploaded is.
struct TaskCollected {
  TaskKey key;
  std::string output_digest;
  int64_t output_bytes = 0;
  int64_t log_bytes = 0;
  int64_t metrics_bytes = 0;
  std::string error;            // what could not be uploaded, and why; empty: nothing
  bool output_missing = false;  // there are outputs, and none of them is uploaded
  std::string last_words;       // the last line that it printed; empty: none
  std::string out_of_memory;    // evidence that it ended of that; empty: none
  // What its container's runtime said instead of starting the program; empty: nothing.
  std::string runtime_failed = {};
};

struct CheckpointUploaded {
  UploadedCheckpoint checkpoint;
};

struct Noticed {
  Notice notice;
};

// The worker itself is to end (SIGTERM) and is gone by `deadline_ms`, drained or not. A second one
// with an earlier deadline hastens.
struct ShutdownAsked {
  int64_t deadline_ms = 0;
  std::string reason;
};

// Time has passed; see Agent::NextWake.
struct Tick {};

using Event =
    std::variant<LinkUp, LinkLost, Welcomed, WantedSet, ReportAcked, CheckpointAcked, TaskPrepared,
                 TaskFailed, TaskStarted, TaskComplained, TaskProgressed, TaskExited, TaskCollected,
                 CheckpointUploaded, Noticed, ShutdownAsked, Tick>;

}  // namespace baton::worker
