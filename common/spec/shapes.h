// Shapes and parameters that follow from a model. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"

namespace baton::spec {

// One trained tensor. Order: graph order of the layers, weight before bias. Shapes as PyTorch's:
// a convolution's weight is OIHW, a dense layer's out x in.
struct Parameter {
  std::string name;  // "<layer>.weight", "<layer>.bias"
  Shape shape;
  int64_t fan_in = 0;  // inputs that one output sums over: in channels * kernel * kernel, or in
  size_t layer = 0;    // index into Model::layers
};

struct LayerShape {
  Shape in;
  Shape out;
};

// One entry per layer. InvalidArgument names the first layer that does not fit its input and what
// to change.
absl::StatusOr<std::vector<LayerShape>> InferShapes(const Model& model);

// What `op` makes of `in`. InvalidArgument says, without the layer's name, why it cannot.
absl::StatusOr<Shape> OutputShape(const LayerOp& op, const Shape& in);

// Fails as InferShapes does.
absl::StatusOr<std::vector<Parameter>> Parameters(const Model& model);

// Sum of the sizes of all parameters; fails as InferShapes does.
absl::StatusOr<int64_t> ParameterCount(const Model& model);

// Values in a tensor of that shape; 1 for an empty shape.
int64_t ElementCount(const Shape& shape);

// "1 x 28 x 28", for messages.
std::string ShapeText(const Shape& shape);

}  // namespace baton::spec
