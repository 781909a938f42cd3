// Events and decisions in words, for traces and replays.
#pragma once

#include <string>
#include <vector>

#include "scheduler/state/event.h"
#include "scheduler/state/outputs.h"

namespace baton::sim {

// One line.
std::string Words(const state::Event& event);
std::string Words(const state::Effect& effect);
// One line per note.
std::string Words(const std::vector<state::Note>& notes);

}  // namespace baton::sim
