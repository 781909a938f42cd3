// A job, its attempts and its checkpoints as the scheduler holds them. Plain values: a job moves
// only through scheduler/core. Times are milliseconds since 1970 UTC, money micro-USD.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace baton::state {

using JobId = std::string;    // 15 characters (common/ids.h)
using SweepId = std::string;  // 15 characters, likewise
using NodeId = std::string;   // 32 hexadecimal characters, kept on the node's disk
using Token = uint64_t;  // fencing token: unique to an attempt, rising through the cluster's life

enum class Capacity : uint8_t { kAuto, kSpot, kOnDemand };

struct Resources {
  int32_t cpus_milli = 1000;
  int64_t memory_bytes = 0;
  int32_t gpus = 0;
  std::string gpu_type;  // empty: any
  int64_t gpu_memory_bytes = 0;
  int64_t disk_bytes = 0;
  bool operator==(const Resources&) const = default;
};

struct Label {
  std::string key;
  std::string value;
  bool operator==(const Label&) const = default;
};

// What decisions read of a spec. `wire` is the whole request (a serialized baton.v1.JobSpec),
// opaque here and handed to the workers. Jobs of equal spec share one object.
struct JobSpec {
  std::string project = "default";
  int32_t priority = 0;
  int32_t ranks_min = 1;
  int32_t ranks_max = 1;
  int32_t shards = 0;          // V; 0: a command, any world size is worth its ranks
  int32_t ranks_per_node = 0;  // exactly so many on each node of a gang; 0: any number
  Resources resources;
  std::vector<Resources> any_of;  // in the place of `resources`, best first; empty: no others
  int32_t retries = 3;
  Capacity capacity = Capacity::kAuto;
  std::vector<Label> require;
  int32_t checkpoints_kept = 3;
  int64_t time_limit_ms = 0;     // of running time; 0: none
  int64_t notice_grace_ms = 0;   // 0: the default
  int64_t prepare_limit_ms = 0;  // PREPARE to all prepared, where it takes longer; 0: the default
  bool queue_anyway = false;
  JobId from_job;               // begins with a checkpoint of this job; empty: from scratch
  std::string from_checkpoint;  // its name; empty: the newest
  SweepId sweep;                // whose trial the job is; empty: of none
  int32_t trial = 0;            // its index there, from 1
  // What a node has to fetch before it can start: data sets, as the edge numbers them; rising.
  std::vector<uint64_t> data;
  std::string wire;
  bool operator==(const JobSpec&) const = default;
};

// What one rank needs, best first: there are so many alternatives, and this is one of them.
inline int32_t Alternatives(const JobSpec& spec) {
  return spec.any_of.empty() ? 1 : static_cast<int32_t>(spec.any_of.size());
}
inline const Resources& NeedOf(const JobSpec& spec, int32_t alternative) {
  const auto index = static_cast<size_t>(alternative);
  return index < spec.any_of.size() ? spec.any_of[index] : spec.resources;
}

// Who typed the command and where; shared by the jobs of one request.
struct Submitter {
  std::string owner;
  std::string folder;
  bool operator==(const Submitter&) const = default;
};

enum class JobState : uint8_t {
  kHeld,
  kQueued,
  kStarting,
  kRunning,
  kRescaling,
  kStopping,
  kSucceeded,
  kFailed,
  kCancelled,
};

// What becomes of a STOPPING job once its attempt has ended.
enum class Intent : uint8_t { kNone, kFinish, kRequeue, kPause, kCancel, kBudget, kFail };

// Why a job is HELD: who holds it decides what `wait` answers.
enum class Hold : uint8_t {
  kNone,
  kPerson,      // `baton pause`
  kNoProgress,  // it was lost again and again and has got nowhere (policy/progress.h)
};

// kLost: its node was lost, or it did not stop in time and was killed unheard.
enum class TaskPhase : uint8_t { kPreparing, kPrepared, kRunning, kExited, kLost };

// One rank of an attempt on one node.
struct Task {
  int32_t rank = 0;
  NodeId node;
  TaskPhase phase = TaskPhase::kPreparing;
  std::vector<int32_t> gpus;  // indices on the node
  std::string address;        // host that other ranks reach, once prepared
  int32_t port = 0;
  int32_t exit_code = 0;   // -N: killed by signal N
  int64_t end_ms = 0;      // reported end, or when the lease ran out
  int64_t first_step = 0;  // first step finished in this attempt; 0: none
  int64_t first_step_ms = 0;
  int64_t last_step = 0;  // last step known finished; 0: none
  int64_t last_step_ms = 0;
  int64_t setup_ms = 0;
  int64_t restore_ms = 0;
  int64_t save_ms = 0;
  std::string error;
  bool infrastructure = false;  // the failure was the node's
  std::string output_digest;
  std::string exit_cause;  // out-of-memory or disk-full; empty: neither
  int64_t start_ms = 0;    // a joiner's; 0: the attempt's
  bool ready = false;      // a joiner that can be a member
  uint64_t joined = 1;     // generation in which it became a member; 0: not yet, a joiner
  // Of a joiner: it has come on by then, or is given up. Of one that is let go: it has left by
  // then, or is killed. 0: neither.
  int64_t deadline_ms = 0;
  std::string let_go;  // why it is no member any more, though it lives; empty: it was not let go
  bool operator==(const Task&) const = default;
};

inline bool HasEnded(const Task& task) {
  return task.phase == TaskPhase::kExited || task.phase == TaskPhase::kLost;
}

// A member that an attempt has lost and survived.
struct Loss {
  int32_t attempt = 0;
  uint64_t generation = 0;  // that it ended
  int32_t task = 0;
  NodeId node;
  std::string detector;  // notice, peers, exit, connection, lease: who noticed first
  int64_t at_ms = 0;     // when it was noticed
  int64_t delay_ms = 0;  // since its last sign of life
  int64_t steps_lost = 0;
  int64_t recovery_ms = -1;  // to the next finished step; -1: not yet
  bool operator==(const Loss&) const = default;
};

// A notice for a node that a task of the job ran on.
struct NoticeSeen {
  NodeId node;
  std::string source;
  std::string kind;
  int64_t deadline_ms = 0;
  int64_t seen_ms = 0;
  bool operator==(const NoticeSeen&) const = default;
};

struct Checkpoint {
  std::string name;
  int64_t step = 0;
  int64_t bytes = 0;
  std::string manifest_digest;
  int64_t taken_ms = 0;  // when the step boundary was passed
  int64_t committed_ms = 0;
  int32_t attempt = 0;  // 0: another job's, with which this one began
  int32_t rank = 0;
  bool operator==(const Checkpoint&) const = default;
};

enum class EndCause : uint8_t {
  kNone,  // it lives
  kSucceeded,
  kPreempted,    // a notice, a drain, an operator's stop: never counts against retries
  kNodeLost,     // likewise
  kCrashed,      // the user's program failed: a retry, once the verdict window has closed
  kPeerLost,     // exit 76 without a lost node inside the verdict window: counts as a crash
  kStartFailed,  // prepare or start failed or missed its deadline
  kCancelled,
  kTimeLimit,
  kPaused,  // a person holds the job: costs no retry
};

// Wall milliseconds of one attempt by what they were spent on; they add up to end - start.
struct Phases {
  int64_t queue_ms = 0;
  int64_t provision_ms = 0;
  int64_t setup_ms = 0;
  int64_t restore_ms = 0;
  int64_t train_ms = 0;
  int64_t save_ms = 0;
  int64_t lost_ms = 0;
  int64_t idle_ms = 0;
  bool operator==(const Phases&) const = default;
};

// One member of the present generation says that another one failed it. Numbers of tasks.
struct Accusation {
  int32_t by = 0;
  int32_t of = 0;
  bool operator==(const Accusation&) const = default;
};

// What an attempt keeps for the changes of its membership.
struct Elastic {
  std::vector<Accusation> accusations;  // in the present generation, in the order of their coming
  int64_t accused_ms = 0;               // when the first of them came; 0: there are none
  std::vector<Loss> losses;    // of members of it that have ended and over which nothing is decided
  int64_t first_step_ms = 0;   // when its first step was finished; 0: not yet
  int64_t reached_step = 0;    // the newest step known to be finished when it was decided
  bool stepped = false;        // a step was finished since the last loss
  int32_t barren = 0;          // generations in a row that ended by a loss without a finished step
  int32_t retries_used = 0;    // by crashes of members that the attempt has survived
  int32_t survived = 0;        // losses after which a step was finished
  int32_t joiners_failed = 0;  // in a row
  int64_t grow_after_ms = 0;   // no joiners before; 0: at any time
  bool operator==(const Elastic&) const = default;
};

// One life of a job.
struct Attempt {
  int32_t number = 0;
  Token token = 0;
  uint64_t generation = 1;
  int32_t world_size = 0;        // of the generation
  std::vector<Task> tasks;       // by number: members, former ones and joiners
  std::vector<int32_t> members;  // of the generation: numbers of tasks by rank, rising
  int64_t start_ms = 0;
  int64_t start_deadline_ms = 0;  // all tasks prepared by then, or the gang gives all back
  int64_t running_ms = 0;         // when the last of its programs had started; 0: not yet
  int64_t end_ms = 0;             // 0: it lives
  // The one it ended with; while it is being stopped, the one that it will end with unless all
  // ranks succeed; kNone with end_ms set: the verdict is open.
  EndCause cause = EndCause::kNone;
  std::string detail;               // one sentence
  int64_t failed_ms = 0;            // first failure or loss seen; 0: none
  int64_t verdict_deadline_ms = 0;  // cause and retry are decided then; 0: decided
  int64_t stop_deadline_ms = 0;     // tasks are being stopped, killed at this time; 0: no
  std::string stop_reason;
  std::string resume_name;  // checkpoint it started from; empty: from the start
  int64_t resume_step = 0;
  std::string resume_digest;
  std::string bad_checkpoint;  // it could not be restored; empty: no such trouble
  Phases phases;               // set at its end; train moves to lost when a later one undoes steps
  int32_t alternative = 0;     // of the spec's any_of, for all of its ranks
  Elastic elastic;
  bool operator==(const Attempt&) const = default;
};

inline bool IsMember(const Attempt& attempt, int32_t task) {
  return std::binary_search(attempt.members.begin(), attempt.members.end(), task);
}
inline const Task& MemberOf(const Attempt& attempt, size_t rank) {
  return attempt.tasks[static_cast<size_t>(attempt.members[rank])];
}
// It is to become a member.
inline bool IsJoiner(const Task& task) { return task.joined == 0; }
inline int64_t StartOf(const Attempt& attempt, const Task& task) {
  return task.start_ms != 0 ? task.start_ms : attempt.start_ms;
}

// All that a job has only once it has been started: a queued job stays small.
struct JobHistory {
  std::vector<Attempt> attempts;        // oldest first
  std::vector<Checkpoint> checkpoints;  // committed, oldest first, retention applied
  Phases phases;                        // closed wall time up to phases_until_ms
  int64_t phases_until_ms = 0;
  int32_t preemptions = 0;
  int64_t steps_lost = 0;
  std::vector<int64_t> recoveries_ms;  // loss to next finished step
  int64_t pending_loss_ms = 0;         // a loss whose recovery is not finished; 0: none
  int64_t cost_usd_micro = 0;
  int64_t cost_on_demand_usd_micro = 0;
  int64_t cost_remainder = 0;  // what the two lack, in 1 / kMoneyUnit micro-USD (core/ledger.h)
  int64_t cost_on_demand_remainder = 0;
  int32_t retried_after = 0;        // newest attempt when a person last sent the job on again
  bool on_demand_only = false;      // decided when it was queued (policy/progress.h)
  std::string device_kind;          // a native job that has finished a step goes on only there
  std::string output_digest;        // of rank 0's newest output
  std::vector<Loss> losses;         // survived ones, oldest first, the newest 256
  std::vector<NoticeSeen> notices;  // likewise
  std::string environment;  // what rank 0 ran in last (worker/setup/facts.h); empty: not told
  bool operator==(const JobHistory&) const = default;
};

struct Job {
  JobId id;
  std::string name;
  std::shared_ptr<const JobSpec> spec;
  std::shared_ptr<const Submitter> submitter;
  uint64_t request_digest = 0;  // of the whole submit request
  uint64_t order = 0;           // age in the queue; a requeued job keeps its own, a retried one not
  int64_t submit_ms = 0;
  int64_t end_ms = 0;  // 0: not ended
  int64_t state_since_ms = 0;
  JobState state = JobState::kQueued;
  Intent intent = Intent::kNone;
  Hold hold = Hold::kNone;  // set if and only if it is HELD
  int32_t retries_left = 0;
  std::string reason;                   // how it ended, or why it is held; empty while queued
  std::unique_ptr<JobHistory> history;  // null until the first attempt

  // Null when there is none.
  const Attempt* LiveAttempt() const {
    if (history == nullptr || history->attempts.empty()) return nullptr;
    const Attempt& last = history->attempts.back();
    return last.end_ms == 0 ? &last : nullptr;
  }
  Attempt* LiveAttempt() { return const_cast<Attempt*>(std::as_const(*this).LiveAttempt()); }
};

inline const Resources& NeedOf(const JobSpec& spec, const Attempt& attempt) {
  return NeedOf(spec, attempt.alternative);
}

inline bool IsEnded(JobState s) {
  return s == JobState::kSucceeded || s == JobState::kFailed || s == JobState::kCancelled;
}

}  // namespace baton::state
