// Gangs that change while they train: members that are lost, tasks that join.
#include "scheduler/core/fence.h"
#include "scheduler/core/machine.h"

namespace baton::core {

absl::Status Machine::On(const state::LossReported& event) {
  return Fence(state_, event.task, event.node, event.incarnation).status();
}

absl::Status Machine::On(const state::MemberReady& event) {
  return Fence(state_, event.task, event.node, event.incarnation).status();
}

}  // namespace baton::core
