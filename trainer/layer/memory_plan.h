// Which values may lie in one memory, since they are never needed at the same time. Pure.
//
// Places are dealt in the order in which a pass writes: the smallest free one that is large enough,
// else the largest free one, which grows, else a new one.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "trainer/backend/backend.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {

// The gradients of a backward pass. Each value that learns, or comes after what does, has one, from
// the first of its readers from behind to the operation that makes it. What further readers give is
// a share, a gradient of its own for as long as that operation runs, and is added.
struct GradientPlan {
  std::vector<PlacedShape> gradients;
  std::vector<std::optional<size_t>> of_value;  // its gradient; none: nobody wants it
  // By operation and input: where its share goes, of_value's itself if it is the first.
  std::vector<std::vector<std::optional<size_t>>> of_inputs;
};
GradientPlan PlanGradients(const Plan& plan);

// The values of a forward pass that no backward one follows. Nobody gets the places of the model's
// inputs and of `plan.outputs`: they are written before the pass, or read after it.
std::vector<PlacedShape> PlanValues(const Plan& plan);

}  // namespace baton::trainer
