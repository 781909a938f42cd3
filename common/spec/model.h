// A model as data: a graph of standard layers, as the spec's `model:` gives it. Plain values; the
// parser (parse.h) has checked all ranges, names and shapes, so a Model that it returned is one
// that shapes.h can lay out.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace baton::spec {

// Extents without the batch: {channels, height, width} of an image, {width} of a vector.
using Shape = std::vector<int64_t>;

// The name by which a layer's `inputs` calls the model's own input.
inline constexpr char kModelInput[] = "input";

// 2-D convolution with bias, (C, H, W) -> (out, H', W'); H' = (H + 2 padding - kernel) / stride +
// 1, rounded down. Square kernel; all four in pixels. Parameters: weight OIHW, bias O.
struct Conv {
  int64_t out = 0;
  int64_t kernel = 0;
  int64_t stride = 1;
  int64_t padding = 0;
};

// (C, H, W) -> (C, H', W'), H' as for Conv. Padding counts as minus infinity and is at most half
// of the kernel. The stride's default is the kernel.
struct MaxPool {
  int64_t kernel = 0;
  int64_t stride = 0;
  int64_t padding = 0;
};

struct Relu {};

// (C, H, W) -> (C * H * W), row by row.
struct Flatten {};

// (N) -> (out) with bias. Parameters: weight out x in, bias out.
struct Dense {
  int64_t out = 0;
};

// Sets a value to zero with probability `rate`, in [0, 1), and divides the others by 1 - rate;
// in training only.
struct Dropout {
  double rate = 0.0;
};

using LayerOp = std::variant<Conv, MaxPool, Relu, Flatten, Dense, Dropout>;

struct Layer {
  std::string name;                 // unique in the model; by default kind and number: "conv1"
  std::vector<std::string> inputs;  // names of layers before it, or kModelInput; one today
  LayerOp op;
};

// The word that a spec uses for the layer: conv, max_pool, relu, flatten, dense, dropout.
const char* KindName(const LayerOp& op);

enum class Loss { kSoftmaxCrossEntropy };

// Kaiming uniform as PyTorch's Conv2d and Linear have it: weight and bias uniform in
// (-b, b), b = 1 / sqrt(fan_in).
enum class Initialization { kKaimingUniform };

struct Model {
  Shape input;                // of one sample, e.g. {1, 28, 28}
  double divide_by = 1.0;     // each raw value (0..255 in an image) is divided by it, nothing else
  std::vector<Layer> layers;  // in graph order: each after its inputs
  Loss loss = Loss::kSoftmaxCrossEntropy;
  Initialization initialization = Initialization::kKaimingUniform;
};

}  // namespace baton::spec
