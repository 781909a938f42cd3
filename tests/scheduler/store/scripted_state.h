// A state that changes as a script says, and the outputs that a core would have given: what the
// committer needs, without the core.
#pragma once

#include <string>
#include <vector>

#include "scheduler/state/event.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"

namespace baton::store {

class ScriptedState {
 public:
  // Adds or renames the job; the next outputs name it as changed and hold a note about it.
  ScriptedState& WriteJob(const std::string& id, const std::string& name);
  ScriptedState& WriteNode(const std::string& id, const std::string& name);
  ScriptedState& CountToken();
  // `from` was shown to reach `to`.
  ScriptedState& ShowReach(const std::string& from, const std::string& to);
  ScriptedState& DeleteJob(const std::string& id);

  // The outputs of all changes since the last call.
  state::Outputs Take();

  const state::State& state() const { return state_; }

 private:
  state::State state_;
  state::Outputs outputs_;
};

// Job id, name and spec's wire, node id and name, and the next token, one a line.
std::string Words(const state::State& state);

}  // namespace baton::store
