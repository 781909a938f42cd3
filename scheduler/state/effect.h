// What the core wants done. Effects leave only after the batch that holds their event is stored.
// They are not stored: each is implied by the state, may be sent more than once and is idempotent.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "scheduler/state/event.h"

namespace baton::state {

enum class Goal : uint8_t { kPrepare, kRun, kStop };

struct Peer {
  int32_t rank = 0;
  std::string node;  // name
  std::string address;
  int32_t port = 0;
};

// One task that a node should have.
struct WantedTask {
  TaskKey task;
  Goal goal = Goal::kPrepare;
  std::shared_ptr<const JobSpec> spec;
  int32_t world_size = 0;
  int32_t local_rank = 0;
  int32_t local_world_size = 0;
  int32_t node_rank = 0;
  int32_t nodes = 0;
  std::vector<int32_t> gpus;
  uint64_t generation = 0;
  std::vector<Peer> peers;  // with kRun
  std::string resume_name;  // empty: from the start
  int64_t resume_step = 0;
  std::string resume_digest;
  int64_t stop_deadline_ms = 0;
  std::string stop_reason;
  bool stop_for_good = false;  // the job, or this gang, does not go on from here
  int32_t alternative = 0;     // of the spec's any_of
  int64_t mtbf_ms = 0;         // with kRun: mean time until the gang loses a node (policy/hazard.h)
};

// The node's whole wanted set, as of this event.
struct SendWanted {
  NodeId node;
  std::string incarnation;
  std::vector<WantedTask> tasks;
};

struct AckCheckpoint {
  NodeId node;
  TaskKey task;
  std::string name;
  bool committed = false;
  std::string refusal;
};

// A task's stage is known: the worker need not repeat it.
struct AckReport {
  NodeId node;
  TaskKey task;
  TaskStage stage = TaskStage::kPrepared;
};

// The sampler is to draw the parameters of this trial: a TrialSuggested answers.
struct SuggestTrial {
  SweepId sweep;
  int32_t index = 0;
};

// The trial's job has ended: a TrialReported is to tell what it said of the sweep's metric.
struct ReadTrial {
  SweepId sweep;
  int32_t index = 0;
  JobId job;
};

struct ProbeTarget {
  NodeId node;
  std::string address;
  int32_t port = 0;
};

// The node is to dial these: a NodesProbed tells what it found.
struct ProbeNodes {
  NodeId node;
  std::string incarnation;
  std::vector<ProbeTarget> targets;
};

using Effect =
    std::variant<SendWanted, AckCheckpoint, AckReport, SuggestTrial, ReadTrial, ProbeNodes>;

// One decision or fact about a job, in words; `baton why` shows them.
struct Note {
  JobId job;  // or a sweep's id
  int64_t at_ms = 0;
  int32_t attempt = 0;
  std::string code;  // queued, placed, started, notice, node-lost, checkpoint, resumed, ended, ..
  std::string text;  // one sentence
};

}  // namespace baton::state
