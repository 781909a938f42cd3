// Everything that can happen to the core. Progress, metrics, log bytes and rendezvous keys are not
// events: they never change a decision.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"
#include "scheduler/state/sweep.h"

namespace baton::state {

// The scheduler has started under a new term and recovered its state: all leases start anew.
struct SchedulerStarted {
  uint64_t term = 0;
};

struct NewJob {
  JobId id;  // JobId(request id, index)
  std::string name;
  std::shared_ptr<const JobSpec> spec;
};

// All or none.
struct JobsSubmitted {
  std::string request_id;
  uint64_t request_digest = 0;
  std::shared_ptr<const Submitter> submitter;
  std::vector<NewJob> jobs;
};

// In place of a checkpoint.
inline constexpr char kFromScratch[] = "scratch";

struct JobCancelled {
  JobId job;
  std::string by;
};

struct JobRetried {
  JobId job;
  std::string by;
  std::string from;  // a checkpoint's name or step, or kFromScratch; empty: the newest
};

// It is to stop without ending: HELD until a person resumes it.
struct JobPaused {
  JobId job;
  std::string by;
};

struct JobResumed {
  JobId job;
  std::string by;
};

struct TaskKey {
  JobId job;
  int32_t attempt = 0;
  int32_t rank = 0;
  Token token = 0;
  bool operator==(const TaskKey&) const = default;
};

enum class TaskStage : uint8_t { kPrepared, kRunning, kFirstStep, kExited, kFailed };

// A stage that a task reached. A later stage implies the earlier ones.
struct TaskReported {
  TaskKey task;
  NodeId node;
  std::string incarnation;
  TaskStage stage = TaskStage::kPrepared;
  int64_t at_ms = 0;  // by the worker's clock; the core clamps it to [attempt start, now]
  int32_t exit_code = 0;
  std::string error;
  int64_t first_step = 0;
  int64_t first_step_ms = 0;
  int64_t last_step = 0;
  int64_t last_step_ms = 0;
  int64_t setup_ms = 0;
  int64_t restore_ms = 0;
  int64_t save_ms = 0;
  std::string address;
  int32_t port = 0;
  std::string output_digest;
  bool infrastructure = false;
  std::string bad_checkpoint;  // with kFailed: this checkpoint could not be restored
  std::string exit_cause;      // with kExited: out-of-memory or disk-full; empty: neither
  std::string environment;     // what it runs in; empty: not told
  // With kFirstStep of an elastic task: the generation whose first step is finished (0: not told),
  // the finished steps of the state with which it formed, and when that first step was finished.
  uint64_t generation = 0;
  int64_t generation_step = 0;
  int64_t generation_step_ms = 0;
};

// A worker said hello; `tasks` are those that run there or whose end is not acknowledged.
struct NodeJoined {
  NodeOffer offer;
  std::vector<TaskReported> tasks;
  std::optional<Notice> notice;  // one that is still pending
};

// Newest progress heard of a task when its node was lost, from the edge's memory.
struct LastHeard {
  TaskKey task;
  int64_t step = 0;
  int64_t step_ms = 0;
  int64_t save_ms = 0;
};

// The connection broke because the process died, the lease ran out, or the worker said goodbye.
struct NodeLost {
  NodeId node;
  std::string incarnation;  // another one's loss is ignored
  std::string cause;        // words: "connection closed", "silent for 10 s", ..
  int64_t last_heard_ms = 0;
  std::vector<LastHeard> tasks;
};

struct NodeDrained {
  NodeId node;
  std::string reason;
  int64_t grace_ms = 0;
};

struct NodeUndrained {
  NodeId node;
};

struct NodeNoticed {
  NodeId node;
  std::string incarnation;
  Notice notice;
};

struct NoticeWithdrawn {
  NodeId node;
  std::string incarnation;
};

// Its chunks and manifest are stored and verified by the edge before the event is made.
struct CheckpointUploaded {
  TaskKey task;
  NodeId node;
  std::string name;
  int64_t step = 0;
  int64_t bytes = 0;
  std::string manifest_digest;
  int64_t taken_ms = 0;
};

// One that has ended: nothing of it is kept but that its request was answered.
struct JobDeleted {
  JobId job;
  std::string by;
};

struct SweepSubmitted {
  std::string request_id;
  uint64_t request_digest = 0;
  std::shared_ptr<const Submitter> submitter;
  SweepId id;  // of the request id
  std::string name;
  SweepPlan plan;
  std::shared_ptr<const JobSpec> spec;  // of all trials, before their parameters
};

// It is to end: its trials are cancelled.
struct SweepStopped {
  SweepId sweep;
  std::string by;
};

// One that has ended, with the jobs of its trials.
struct SweepDeleted {
  SweepId sweep;
  std::string by;
};

// The sampler's answer to a SuggestTrial. What it drew is in the log, so that a replay needs no
// sampler.
struct TrialSuggested {
  SweepId sweep;
  int32_t index = 0;
  std::string params_json;
  std::shared_ptr<const JobSpec> spec;  // the sweep's, with these parameters
  std::string over;  // not empty: there is no such trial, nor a later one, and why
};

// The answer to a ReadTrial.
struct TrialReported {
  SweepId sweep;
  int32_t index = 0;
  bool has_metric = false;
  uint64_t metric_bits = 0;  // of a double
  int64_t step = 0;
  std::string detail;  // without a value: what was there instead
};

// What a node holds of jobs' data has changed: all that it has now, rising.
struct NodeCached {
  NodeId node;
  std::string incarnation;
  std::vector<uint64_t> cached;
};

// What a node found when it dialled another where that answers probes.
struct ProbeResult {
  NodeId to;
  int32_t port = 0;   // that was dialled: what is said of a former worker is no news
  std::string error;  // empty: it answered, and as that node
};
struct NodeProbes {
  NodeId node;
  std::string incarnation;
  std::vector<ProbeResult> results;
};

// What has come in of late, of any number of nodes.
struct NodesProbed {
  std::vector<NodeProbes> nodes;
};

// A member of a gang says that another one failed it: its connection broke, or it was silent.
struct LossReported {
  TaskKey task;  // who says it
  NodeId node;
  std::string incarnation;
  uint64_t generation = 0;
  int32_t lost_rank = 0;  // in that generation
};

// A task that is no member yet has started and can be one of the next generation.
struct MemberReady {
  TaskKey task;
  NodeId node;
  std::string incarnation;
};

// A deadline has passed (core/step.h: NextDeadline).
struct TimerFired {};

using Event = std::variant<SchedulerStarted, JobsSubmitted, JobCancelled, JobRetried, NodeJoined,
                           NodeLost, NodeDrained, NodeUndrained, NodeNoticed, NoticeWithdrawn,
                           TaskReported, CheckpointUploaded, TimerFired, JobPaused, JobResumed,
                           JobDeleted, SweepSubmitted, SweepStopped, TrialSuggested, TrialReported,
                           NodesProbed, NodeCached, SweepDeleted, LossReported, MemberReady>;

}  // namespace baton::state
