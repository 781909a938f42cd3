// What the agent asks for. Whoever carries an effect out answers with the event named here.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "worker/core/task.h"

namespace baton::worker {

// -> TaskPrepared or TaskFailed
struct Prepare {
  Wanted task;  // with its spec
};

// -> TaskStarted and later TaskExited, or TaskFailed
struct Start {
  Wanted task;  // with its spec and peers
};

// (Re)write the task's deadline file.
struct WriteDeadline {
  TaskKey key;
  int64_t deadline_ms = 0;
  std::string reason;
};

// Tell the task that a save is worth its time; nothing stops.
struct AskForSave {
  TaskKey key;
  int64_t unix_ms = 0;  // when that became known
  std::string reason;
};

// The stop was called off: the deadline file goes.
struct RemoveDeadline {
  TaskKey key;
};

// The signal to each process of the task that catches it and was not sent it before. `all`: where
// nobody catches it, to everybody.
struct Terminate {
  TaskKey key;
  bool all = false;
  int signal = kSigTerm;
};

// SIGKILL to all its processes -> TaskExited. A preparation is given up -> TaskFailed.
struct Kill {
  TaskKey key;
};

// Drain the log, upload the last checkpoints and the outputs, until `deadline_ms` at the latest
// (0: as long as it takes) -> TaskCollected. `upload` false: the scheduler has no use for them.
// Sent again when the limit changes. `patient`: the task has succeeded, so that its outputs are
// tried until they are uploaded, however long the store does not take them.
struct Collect {
  TaskKey key;
  int64_t deadline_ms = 0;
  bool upload = true;
  bool patient = false;
};

// The task is over and told: its folder goes, its log once it is acknowledged.
struct Forget {
  TaskKey key;
};

// The local copy of a checkpoint goes: it is committed, or refused for the reason given.
struct RemoveCheckpoint {
  TaskKey key;
  std::string name;
  std::string refusal;  // empty: committed
};

struct SendHello {
  uint64_t term_seen = 0;
  std::vector<Report> tasks;
  bool has_notice = false;
  Notice notice;
};

struct SendReport {
  Report report;
};

struct SendCheckpoint {
  UploadedCheckpoint checkpoint;
};

struct SendNotice {
  Notice notice;
};

// Renews the lease; with the steps that changed.
struct SendHeartbeat {
  std::vector<StepProgress> progress;
};

// The scheduler speaks for an older term: hang up and dial again.
struct HangUp {
  std::string reason;
};

// All is told, or the time is up: say goodbye and end.
struct Finish {
  std::string reason;
  int64_t deadline_ms = 0;
};

using Effect = std::variant<Prepare, Start, WriteDeadline, AskForSave, RemoveDeadline, Terminate,
                            Kill, Collect, Forget, RemoveCheckpoint, SendHello, SendReport,
                            SendCheckpoint, SendNotice, SendHeartbeat, HangUp, Finish>;

}  // namespace baton::worker
