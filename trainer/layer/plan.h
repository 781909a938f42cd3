// From the model's graph of layers to the operations a backend runs. Pure.
//
// A ReLU becomes part of the operation before it where nothing else reads that, moves behind a max
// pooling that follows, and flatten disappears before operations that do not look at extents: less
// to compute, the same values. Shapes, parameters and their order are common/spec/shapes.h's.
//
// To add a layer: its struct in common/spec/model.h, its shapes in shapes.cc and parameters.cc, its
// operation in backend/operation.h, one overload in plan.cc, one file in each backend.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"
#include "trainer/backend/operation.h"

namespace baton::trainer {

struct PlannedOperation {
  OperationShape shape;
  size_t parameter_offset = 0;  // of its first parameter in the flat vector, in floats
  size_t gradient_offset = 0;   // likewise, in the dense gradient (layer/network.h)
  std::optional<size_t> table;  // of a sparse table: its number among those
  size_t layer = 0;             // index in Model::layers of the (first) layer it computes
  std::vector<size_t> inputs;   // values that it reads
  size_t output = 0;            // the value that it makes
  bool frozen = false;          // its parameters stay as they are
};

// What flows between operations. The first ones are the model's inputs.
struct PlannedValue {
  SampleShape shape;
  bool needs_gradient = false;  // something that learns comes before it
};

// Of the loss on the model's output: rows of classes, and how many decisions a sample makes that
// can be right or wrong (0 for a regression).
struct OutputLayout {
  int64_t rows = 1;
  int64_t width = 1;      // classes of a row, or outputs
  int64_t decisions = 0;  // of a sample
};

struct Plan {
  std::vector<PlannedValue> values;
  std::vector<PlannedOperation> operations;  // in the order of the forward pass
  size_t inputs = 1;                         // of the model: values 0 .. inputs - 1
  size_t output = 0;                         // the value that the loss sees
  std::vector<size_t> outputs;               // PlanOutputs': the values that were asked for
  OutputLayout layout;
};

// INVALID_ARGUMENT names the layer that does not fit, goes nowhere or has nothing to learn.
absl::StatusOr<Plan> PlanOperations(const spec::Model& model);

// Samples that a network computes at once where only what comes out counts: so many that their
// values take 64 MiB or less, 1 .. 64. Of the plan alone, so the bits of what is summed block by
// block depend on nothing else.
int64_t BlockFor(const Plan& plan);

// Of a model without a loss, with nothing to learn: what the layers or inputs `names` give.
absl::StatusOr<Plan> PlanOutputs(const spec::Model& model, const std::vector<std::string>& names);

}  // namespace baton::trainer
