// What goes wrong on a game day, and when: a pure function of the seed, so that a seed plays the
// same faults again. What they hit depends on what runs at that moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::client::chaos {

enum class FaultKind : uint8_t {
  kKillTask,         // SIGKILL to one rank's program
  kKillWorker,       // SIGKILL to a node's daemon; its keeper ends the tasks
  kKillNode,         // both at once, as when a machine's power goes
  kKillNewest,       // SIGKILL to the task that started last: a joiner in the middle of joining
  kKillScheduler,    // SIGKILL; started again at once
  kFreezeTask,       // SIGSTOP, later SIGCONT
  kFreezeNode,       // the same to daemon and tasks
  kCutLine,          // nothing passes between a node and the scheduler
  kNotice,           // the node's cloud announces its end, and ends it at the deadline
  kNoticeTooLate,    // the same with a second between the two
  kNoticeWithdrawn,  // announced, and called off
  kRebalance,        // a risk is told, and nothing happens
};
inline constexpr int kFaultKinds = 12;

// "kill-task", "notice-too-late", ..
std::string NameOf(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kKillTask;
  int64_t after_ms = 0;  // since the fault before it; 0: two at once
  uint64_t pick = 0;     // chooses among what is there then
  // Freezes and cuts: how long they last. Notices: from the announcement to the end, or to its
  // withdrawal. Kills of a node: until another takes its place.
  int64_t for_ms = 0;
};

std::vector<Fault> PlanFaults(uint64_t seed, int count);

}  // namespace baton::client::chaos
