// The first thing that a new generation does: its members agree, and those that are behind take the
// state from one that is not. Nothing that is received becomes state before all of it is there and
// proven by its digest.
#pragma once

#include <chrono>

#include "absl/status/statusor.h"
#include "trainer/comm/group.h"
#include "trainer/elastic/agreement.h"
#include "trainer/elastic/state.h"

namespace baton::trainer {

// Called by all ranks at the same place. After an error the state is what it was, or, if a peer was
// lost at the very end, what the others have. Codes as Transfer::Finish and Decide; DATA_LOSS also
// when what arrived is not what was sent. `timeout` is for a peer to come to the same place; a
// large state is given more.
absl::StatusOr<Decision> HandOver(Group& group, SharedState& state, const Agreement& agreement,
                                  bool strict, std::chrono::milliseconds timeout);

}  // namespace baton::trainer
