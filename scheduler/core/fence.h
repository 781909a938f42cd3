// The fence: whose words count. A report or checkpoint is taken only from the task of a live
// attempt, under that attempt's token, from the node and incarnation that run it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/event.h"
#include "scheduler/state/state.h"

namespace baton::core {

struct Fenced {
  state::Job* job = nullptr;
  state::Attempt* attempt = nullptr;
  state::Task* task = nullptr;
};

// FailedPrecondition says why the sender's words no longer count. An empty incarnation is not
// compared.
absl::StatusOr<Fenced> Fence(state::State& state, const state::TaskKey& key,
                             const state::NodeId& node, absl::string_view incarnation);

}  // namespace baton::core
