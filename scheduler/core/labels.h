// Labels that a job requires and nodes have, in words.
#pragma once

#include <string>
#include <vector>

#include "scheduler/state/state.h"

namespace baton::core {

// The first of `required` that the node does not have: "site=moon"; empty: it has all.
std::string MissingLabel(const std::vector<state::Label>& required, const state::NodeOffer& offer);

// Of each label that no known node has, what there is in its place: "no known node has the label
// site=moon, there is site=lab". Empty: each is some node's.
std::string UnknownLabels(const std::vector<state::Label>& required, const state::State& state);

}  // namespace baton::core
