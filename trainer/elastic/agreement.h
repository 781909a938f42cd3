// What the members of a generation must agree on before its first step, and which of them has the
// state that all go on from. Pure: every rank decides the same from what all said.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::trainer {

// Texts of any length that must be alike on all ranks.
struct Agreement {
  std::string build;       // of the trainer
  std::string backend;     // library, version, instruction set
  std::string definition;  // of the training
};

inline constexpr int64_t kNoState = -1;

// What a member says of itself, on the wire: digests of the texts, and where its state is.
struct Standing {
  uint64_t build = 0;
  uint64_t backend = 0;
  uint64_t definition = 0;
  int64_t step = kNoState;  // finished steps
  uint64_t state = 0;       // digest of the weights
};

Standing StandingOf(const Agreement& agreement, int64_t step, uint64_t state);

struct Decision {
  int64_t step = 0;         // finished steps that all go on from
  int source = 0;           // the lowest rank that has that state
  std::vector<int> behind;  // rising: they take the state from the source
  std::vector<int> unlike;  // rising: they have no place here, and say so themselves
};

// What all do, as seen by `rank`. With unlike ranks nothing is to be handed over: they leave, and
// the others go on without them. FAILED_PRECONDITION: this rank is unlike the one that has the
// state; the message says in what. DATA_LOSS: two ranks at the same step have other weights.
// NOT_FOUND: nobody has a state. `strict`: whoever differs in the least ends all
// (FAILED_PRECONDITION).
absl::StatusOr<Decision> Decide(absl::Span<const Standing> all, int rank,
                                const Agreement& agreement, bool strict);

}  // namespace baton::trainer
