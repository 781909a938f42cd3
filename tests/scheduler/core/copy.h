// Copies of values that own their parts, for tests that need two of them.
#pragma once

#include <string>

#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"

namespace baton::core {

state::State CopyOf(const state::State& from);

// Every field of the outputs, as text: equal if and only if they are.
std::string TextOf(const state::Outputs& outputs);

}  // namespace baton::core
