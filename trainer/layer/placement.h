// Where a model's parameters lie in a device's vectors: as in the flat one (layer/network.h), but
// those of each layer begin at an address that the device's libraries are quick with; what is
// between is zero. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"

namespace baton::trainer {

// Floats: 256 bytes.
inline constexpr size_t kPlacementFloats = 64;

struct Placement {
  // The parameters of a layer, which lie without gaps in both vectors.
  struct Piece {
    size_t flat;   // where it begins in the flat vector
    size_t place;  // and on the device, a multiple of kPlacementFloats
    size_t count;  // floats
  };
  std::vector<Piece> pieces;  // rising; layers without parameters have none
  size_t count = 0;           // floats of a device's vector

  // Where the parameter at `flat` lies. With the flat vector's length: behind the last one.
  size_t PlaceOf(size_t flat) const;
};

// INVALID_ARGUMENT when a layer does not fit its input.
absl::StatusOr<Placement> PlaceParameters(const spec::Model& model);

}  // namespace baton::trainer
