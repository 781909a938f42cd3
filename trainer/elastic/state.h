// The port between re-forming and what a training's state is: everything that a checkpoint would
// hold, which one member has and another takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::trainer {

// One thread.
class SharedState {
 public:
  virtual ~SharedState() = default;

  // Finished steps; kNoState (agreement.h) of a joiner that has not taken one yet.
  virtual int64_t step() const = 0;
  // Of the weights: equal on ranks that have computed the same.
  virtual absl::StatusOr<uint64_t> Digest() = 0;

  // Lets go of everything that belongs to the present group.
  virtual void LeaveGroup() = 0;

  // To hand it over: what is small as text, and the vectors, valid until the next change.
  struct Offer {
    std::string text;
    std::vector<absl::Span<const float>> vectors;
  };
  virtual absl::StatusOr<Offer> MakeOffer() = 0;

  // To take it: memory apart from the state, for the vectors that the text tells of.
  virtual absl::StatusOr<std::vector<absl::Span<float>>> Stage(const std::string& text) = 0;
  // All that was staged is whole: it becomes the state, at once.
  virtual absl::Status Adopt() = 0;
};

}  // namespace baton::trainer
