// Shapes and parameters that follow from a model. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spec/model.h"

namespace baton::spec {

// How a tensor comes to its first values under Initialization::kDefault.
enum class Start { kZeros, kOnes, kUniform, kXavierUniform, kNormal };

// One tensor of a model. Order: graph order of the layers, within a layer weight before bias, as
// PyTorch's modules list them. Shapes as PyTorch's: a convolution's weight is OIHW, a dense layer's
// out x in.
struct Parameter {
  std::string name;  // "<layer>.weight", "<layer>.bias", ..
  Shape shape;
  int64_t fan_in = 0;    // inputs that one output sums over; for kUniform the bound is 1/sqrt of it
  int64_t fan_out = 0;   // outputs that one input goes into
  size_t layer = 0;      // index into Model::layers
  bool trained = true;   // false: a buffer (running statistics), which no optimizer touches
  bool is_bias = false;  // of a conv, dense, recurrent or attention layer
  bool sparse = false;   // a table whose gradient is rows
  Start start = Start::kUniform;
};

struct LayerShape {
  std::vector<Shape> in;  // one per input
  Shape out;
};

// One entry per layer. InvalidArgument names the first layer that does not fit its input and what
// to change.
absl::StatusOr<std::vector<LayerShape>> InferShapes(const Model& model);

// What `op` makes of its inputs. InvalidArgument says, without the layer's name, why it cannot.
absl::StatusOr<Shape> OutputShape(const LayerOp& op, absl::Span<const Shape> in);

// How many inputs the layer takes; max 0: any number from min on.
struct InputCount {
  size_t min = 1;
  size_t max = 1;
};
InputCount InputsOf(const LayerOp& op);

// Fails as InferShapes does.
absl::StatusOr<std::vector<Parameter>> Parameters(const Model& model);

// Sum of the sizes of all parameters, buffers included; fails as InferShapes does.
absl::StatusOr<int64_t> ParameterCount(const Model& model);

// Values in a tensor of that shape; 1 for an empty shape.
int64_t ElementCount(const Shape& shape);

// "1 x 28 x 28", for messages.
std::string ShapeText(const Shape& shape);

}  // namespace baton::spec
