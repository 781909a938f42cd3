// A model as data: a graph of standard layers, as the spec's `model:` gives it. Plain values; the
// parser (parse.h) has checked all ranges, names and shapes, so a Model that it returned is one
// that shapes.h can lay out.
//
// Shapes are of one sample: (C, H, W) an image, (T, C) a sequence of T positions, (N) a vector.
// What a layer computes, its parameters and their names are those of the PyTorch module that its
// comment names, unless it says otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace baton::spec {

// Extents without the batch.
using Shape = std::vector<int64_t>;

// The name by which a layer's `inputs` calls the model's own input, where it has only one.
inline constexpr char kModelInput[] = "input";

// Along height and width; one number stands for both.
struct Extent {
  // NOLINTNEXTLINE(google-explicit-constructor): 5 is 5 x 5.
  constexpr Extent(int64_t both = 1) : height(both), width(both) {}
  constexpr Extent(int64_t h, int64_t w) : height(h), width(w) {}
  int64_t height;
  int64_t width;
  bool operator==(const Extent&) const = default;
};

// Conv2d, (C, H, W) -> (out, H', W'); H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride +
// 1, rounded down. Parameters: weight (out, C / groups, kernel), bias (out) unless without.
struct Conv {
  int64_t out = 0;
  Extent kernel = 0;
  Extent stride = 1;
  Extent padding = 0;
  Extent dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

// MaxPool2d, (C, H, W) -> (C, H', W'), H' as for Conv. Padding counts as minus infinity and is at
// most half of the kernel. The stride's default is the kernel.
struct MaxPool {
  Extent kernel = 0;
  Extent stride = 0;
  Extent padding = 0;
};

// AvgPool2d. With count_padding, cells outside of the input count as zeros, else not at all.
struct AvgPool {
  Extent kernel = 0;
  Extent stride = 0;
  Extent padding = 0;
  bool count_padding = true;
};

// The mean or the largest over all cells, (C, H, W) -> (C), or all positions, (T, C) -> (C).
struct GlobalPool {
  enum class Kind { kAverage, kMax };
  Kind kind = Kind::kAverage;
};

// BatchNorm2d on (C, H, W), BatchNorm1d on (N): per channel, over the samples of one logical shard.
// Parameters: weight, bias, and the buffers running_mean, running_var, which take in `momentum` of
// each step's statistics (the variance unbiased), averaged over the shards.
struct BatchNorm {
  double epsilon = 1e-5;
  double momentum = 0.1;
};

// LayerNorm over the last extent of (T, C) or (N). Parameters: weight, bias.
struct LayerNorm {
  double epsilon = 1e-5;
};

// Element by element.
struct Activation {
  enum class Kind {
    kRelu,
    kLeakyRelu,  // slope
    kElu,        // slope: alpha
    kSigmoid,
    kTanh,
    kGelu,  // with the error function
    kSilu,
  };
  Kind kind = Kind::kRelu;
  double slope = 0.01;
};

// Row by row into one vector.
struct Flatten {};

// The same values under other extents.
struct Reshape {
  Shape to;
};

// Linear, (N) -> (out), or at each position (T, C) -> (T, out). Parameters: weight (out, in), bias
// (out) unless without.
struct Dense {
  int64_t out = 0;
  bool bias = true;
};

// Sets a value to zero with probability `rate`, in [0, 1), and divides the others by 1 - rate;
// in training only.
struct Dropout {
  double rate = 0.0;
};

// Embedding: ids (T) -> (T, width). Ids are whole numbers 0 .. vocabulary - 1, which float32 holds
// exactly up to 2^24. Parameter: weight (vocabulary, width).
struct Embedding {
  int64_t vocabulary = 0;
  int64_t width = 0;
  // As nn.Embedding(sparse=True): a step changes only the rows that its samples name.
  bool sparse = false;
  // The table and what the optimizer keeps of it lie in files that the kernel pages (storage:
  // mmap); the table is then sparse.
  bool mapped = false;
};

// Adds a learned vector to each position, (T, C) -> (T, C). Parameter: weight (T, C).
struct Position {};

// LSTM or GRU of one layer, one direction, from a zero state: (T, C) -> (T, hidden). Parameters:
// weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, gates in PyTorch's order.
struct Recurrent {
  enum class Kind { kLstm, kGru };
  Kind kind = Kind::kLstm;
  int64_t hidden = 0;
};

// MultiheadAttention of a sequence with itself, (T, C) -> (T, C); with `causal` a position sees
// itself and those before it. Parameters: in_proj_weight, in_proj_bias, out_proj.weight,
// out_proj.bias.
struct Attention {
  int64_t heads = 1;
  bool causal = false;
};

// The last position, (T, C) -> (C).
struct Last {};

// Inputs side by side: images along the channels, sequences along the features, vectors end to end.
struct Concat {};

// Inputs of one shape, element by element.
struct Add {};
struct Multiply {};

// Of two inputs: (D) with (D) -> (1), (T, D) with (T, D) -> (T), and (D) or (1, D) with (T, D) ->
// (T). With `cosine` divided by both lengths, each at least 1e-8.
struct Dot {
  bool cosine = false;
};

using LayerOp = std::variant<Conv, MaxPool, AvgPool, GlobalPool, BatchNorm, LayerNorm, Activation,
                             Flatten, Reshape, Dense, Dropout, Embedding, Position, Recurrent,
                             Attention, Last, Concat, Add, Multiply, Dot>;

struct Layer {
  // Unique in the model, as are those of all tensors; dots as in "layer1.0.conv1". By default kind
  // and number: "conv1".
  std::string name;
  std::vector<std::string> inputs;  // names of layers before it, or of the model's inputs
  LayerOp op;
  bool frozen = false;  // its parameters stay as they are
};

// The word that a spec uses for the layer: conv, max_pool, relu, lstm, ...
const char* KindName(const LayerOp& op);

// All of a step's losses are means over the batch; of a sample with several outputs, the mean over
// these.
enum class Loss {
  kSoftmaxCrossEntropy,  // (classes) with a label, or (T, classes) with T labels
  kBinaryCrossEntropy,   // of logits, with targets in 0 .. 1
  kMeanSquaredError,
  kMeanAbsoluteError,
};

const char* LossName(Loss loss);

// The start of weights of conv, dense and recurrent layers. kDefault: as the PyTorch module does.
// The other kinds draw weights as torch.nn.init does (gain sqrt(2) for Kaiming), biases are zero.
enum class Initialization {
  kDefault,
  kKaimingUniform,
  kKaimingNormal,
  kXavierUniform,
  kXavierNormal,
  kNormal,  // standard deviation 0.02
};

const char* InitializationName(Initialization initialization);

// Of the products in dense and attention layers: in kBfloat16 their factors are rounded to
// bfloat16, and the sums are float32, like all else: weights, gradients and what flows between
// layers.
enum class Precision { kFloat32, kBfloat16 };

// "float32", "bf16".
const char* PrecisionName(Precision precision);

struct ModelInput {
  std::string name;  // kModelInput where there is only one
  Shape shape;       // of one sample, e.g. {1, 28, 28}
};

struct Model {
  std::vector<ModelInput> inputs;  // at least one
  double divide_by = 1.0;          // each raw value (0..255 in an image) is divided by it
  std::vector<Layer> layers;       // in graph order: each after its inputs; the last is the output
  Loss loss = Loss::kSoftmaxCrossEntropy;
  std::vector<double> class_weights;  // of kSoftmaxCrossEntropy: factors of a label's loss; or none
  Initialization initialization = Initialization::kDefault;
  Precision precision = Precision::kFloat32;
};

// Whether the model's tables may be larger than memory.
bool HasMappedTable(const Model& model);

}  // namespace baton::spec
