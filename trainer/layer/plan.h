// From the model's graph of layers to the operations a backend runs. Pure.
//
// A ReLU becomes part of the operation before it, moves behind a max pooling that follows, and
// flatten disappears (values lie row by row anyway): less to compute, the same values. Shapes,
// parameters and their order are common/spec/shapes.h's.
//
// To add a layer: its struct in common/spec/model.h and shapes.cc, its operation in
// backend/operation.h, one overload in plan.cc, one file in each backend.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"
#include "trainer/backend/operation.h"

namespace baton::trainer {

struct PlannedOperation {
  OperationShape shape;
  size_t parameter_offset = 0;  // of its weight in the flat vector, in floats
  size_t layer = 0;             // index in Model::layers of the (first) layer it computes
};

// In the order of the forward pass; at least one, and the last one's output is the logits, one per
// class. INVALID_ARGUMENT names the layer that does not fit.
absl::StatusOr<std::vector<PlannedOperation>> PlanOperations(const spec::Model& model);

}  // namespace baton::trainer
