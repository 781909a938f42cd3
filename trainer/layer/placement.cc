#include "trainer/layer/placement.h"

#include <algorithm>
#include <optional>

#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::trainer {

size_t Placement::PlaceOf(size_t flat) const {
  const auto after =
      std::upper_bound(pieces.begin(), pieces.end(), flat,
                       [](size_t wanted, const Piece& piece) { return wanted < piece.flat; });
  if (after == pieces.begin()) return 0;
  const Piece& piece = *(after - 1);
  return piece.place + (flat - piece.flat);
}

absl::StatusOr<Placement> PlaceParameters(const spec::Model& model) {
  BATON_ASSIGN_OR_RETURN(const auto parameters, spec::Parameters(model));
  Placement placement;
  size_t flat = 0;
  std::optional<size_t> layer;
  for (const auto& parameter : parameters) {
    if (parameter.layer != layer) {
      layer = parameter.layer;
      const size_t rest = placement.count % kPlacementFloats;
      if (rest != 0) placement.count += kPlacementFloats - rest;
      placement.pieces.push_back({flat, placement.count, 0});
    }
    const auto count = static_cast<size_t>(spec::ElementCount(parameter.shape));
    placement.pieces.back().count += count;
    placement.count += count;
    flat += count;
  }
  return placement;
}

}  // namespace baton::trainer
