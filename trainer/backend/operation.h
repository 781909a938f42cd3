// What a backend can compute: one plain value per operation, with its shapes. A new operation is
// one more struct here and in the variant, and one file in each backend.
//
// Extents are of one sample, the batch comes on top, outermost: (C, H, W) an image, (T, C) a
// sequence, (N) a vector. Formulas leave the sample's index away. Parameters lie one behind the
// other without gaps, in the order given, row-major.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace baton::trainer {

using SampleShape = std::vector<int64_t>;

// Along height and width.
struct Extent {
  int64_t height = 1;
  int64_t width = 1;
  bool operator==(const Extent&) const = default;
};

// Whether an operation clips its output at zero: y = max(f(x), 0). Part of the operation, so that a
// backend can do it while the value is still in a register.
enum class Activation { kNone, kRelu };

// y[o,i,j] = b[o] + sum over c,p,q of w[o,c,p,q] * x[g + c, i*stride+p*dilation-padding,
// j*stride+q*dilation-padding] (0 outside of x), c over the C / groups channels of o's group, which
// begin at g. Parameters: weight (O, C / groups, kernel), bias (O) if there is one.
struct ConvOperation {
  SampleShape in;   // (C, H, W)
  SampleShape out;  // (O, H', W')
  Extent kernel;
  Extent stride;
  Extent padding{0, 0};
  Extent dilation;
  int64_t groups = 1;
  bool bias = true;
  Activation activation = Activation::kNone;
};

// y[c,i,j] = max of x over the window; the gradient goes to the first largest in row order.
struct MaxPoolOperation {
  SampleShape in;   // (C, H, W)
  SampleShape out;  // (C, H', W')
  Extent kernel;
  Extent stride;
  Extent padding{0, 0};
  Activation activation = Activation::kNone;
};

// y[c,i,j] = mean of x over the window: over all its cells, those outside of x being 0, or over
// those inside of x.
struct AvgPoolOperation {
  SampleShape in;   // (C, H, W)
  SampleShape out;  // (C, H', W')
  Extent kernel;
  Extent stride;
  Extent padding{0, 0};
  bool count_padding = true;
};

// y[c] = mean, or largest (the gradient goes to the first of equals), of x[t,c] over t.
struct SequencePoolOperation {
  SampleShape in;  // (T, C)
  bool largest = false;
};

// In training y = (x - mean) / sqrt(var + epsilon) * weight + bias, with mean and (biased) variance
// of each channel over the micro-batch and all cells; in evaluation with the running ones.
// Parameters (C each): weight, bias, running_mean, running_var. The "gradient" of the last two is
// statistics_scale (BackwardArguments) * count * what the micro-batch had: its mean, and its
// variance unbiased (biased where a channel has one value). Their sum over the shards is the mean
// that the running ones take in.
struct BatchNormOperation {
  SampleShape shape;  // (C, H, W) or (C)
  float epsilon = 1e-5f;
  bool frozen = false;  // the running ones in training too; their gradient is zero
  Activation activation = Activation::kNone;
};

// y = (x - mean) / sqrt(var + epsilon) * weight + bias over the last extent. Parameters: weight,
// bias (C each).
struct LayerNormOperation {
  SampleShape shape;  // (T, C) or (C)
  float epsilon = 1e-5f;
};

enum class Function { kRelu, kLeakyRelu, kElu, kSigmoid, kTanh, kGelu, kSilu };

// y = f(x). kLeakyRelu: x > 0 ? x : slope * x; kElu: x > 0 ? x : slope * (e^x - 1); kGelu: x *
// (1 + erf(x / sqrt(2))) / 2; kSilu: x * sigmoid(x). At 0 the derivative is that of the left side.
struct ActivationOperation {
  SampleShape shape;
  Function function = Function::kRelu;
  float slope = 0;
};

// With `bfloat16` the two factors of every product, on the way back too, are rounded to bfloat16
// before (nearest, ties to even); sums are float32 and their results are not rounded. The gradient
// of a bias sums rounded values.
//
// y[r,o] = b[o] + sum over i of w[o,i] * x[r,i]. x is read as `rows` rows one behind the other,
// whatever its rank. Parameters: weight (O, I), bias (O) if there is one.
struct DenseOperation {
  SampleShape in;
  SampleShape out;  // (O) with one row, else (rows, O)
  int64_t rows = 1;
  bool bias = true;
  Activation activation = Activation::kNone;
  bool bfloat16 = false;
};

// In training y[i] = keep(i) ? x[i] / (1 - rate) : 0, and y = x in evaluation. keep(i) is
// RandomStream::ToUnit(Bits(i)) >= rate, i the row-major index over the whole micro-batch.
struct DropoutOperation {
  SampleShape shape;
  float rate = 0;
};

// y[t] = w[x[t]]; x holds whole numbers in [0, vocabulary), else INVALID_ARGUMENT. There is no
// gradient of x. Parameter: weight (vocabulary, width). When `sparse` its gradient is rows
// (BackwardArguments::rows), and nothing of the operation's work grows with the vocabulary.
struct EmbeddingOperation {
  SampleShape in;  // (T)
  int64_t vocabulary = 1;
  int64_t width = 1;
  bool sparse = false;
};  // out (T, width)

// y = x + w. Parameter: weight (T, C).
struct PositionOperation {
  SampleShape shape;  // (T, C)
};

enum class Cell { kLstm, kGru };

// torch.nn.LSTM / GRU of one layer from a zero state. With s = sigmoid, gates of `hidden` rows
// each:
//   LSTM  i,f,g,o = w_ih x[t] + b_ih + w_hh h + b_hh;  c = s(f) c + s(i) tanh(g);
//         h = s(o) tanh(c)
//   GRU   r,z = s(w_ih x[t] + b_ih + w_hh h + b_hh);  n = tanh(w_in x[t] + b_in + r (w_hn h +
//         b_hn));  h = (1 - z) n + z h
// y[t] = h. Parameters: weight_ih (G H, C), weight_hh (G H, H), bias_ih (G H), bias_hh (G H), G = 4
// or 3, gates in the order above.
struct RecurrentOperation {
  Cell cell = Cell::kLstm;
  SampleShape in;  // (T, C)
  int64_t hidden = 1;
};  // out (T, hidden)

// torch.nn.MultiheadAttention of x with itself: q, k, v = rows of w_in x + b_in; per head of width
// d = C / heads: softmax over u of (q[t] . k[u] / sqrt(d)), u <= t when causal, times v[u]; then
// w_out and b_out. Parameters: in_proj_weight (3 C, C), in_proj_bias (3 C), out_proj.weight (C, C),
// out_proj.bias (C). `bfloat16` as DenseOperation has it; q, k, v, the shares that the softmax
// gives and what they mix, and the gradients of all these, stay rounded.
struct AttentionOperation {
  SampleShape shape;  // (T, C)
  int64_t heads = 1;
  bool causal = false;
  bool bfloat16 = false;
};

// y = x[T - 1].
struct LastOperation {
  SampleShape in;  // (T, C)
};

// The same values under other extents.
struct ViewOperation {
  SampleShape in;
  SampleShape out;
};

// Inputs side by side: of `outer` blocks, each input's share of a block behind the other's.
struct ConcatOperation {
  std::vector<SampleShape> ins;
  SampleShape out;
  int64_t outer = 1;  // 1 for images and vectors, T for sequences
};

// y = sum, or product, of all inputs. A sum may clip its output.
struct AddOperation {
  SampleShape shape;
  int64_t inputs = 2;
  Activation activation = Activation::kNone;
};
struct MultiplyOperation {
  SampleShape shape;
  int64_t inputs = 2;
};

// y[t] = a[t] . b[t], or a . b[t] when a has one row; with `cosine` divided by max(|a|, 1e-8) *
// max(|b|, 1e-8).
struct DotOperation {
  SampleShape a;  // (D), (1, D) or (T, D)
  SampleShape b;  // (D) or (T, D)
  bool cosine = false;
};  // out (T)

// Every operation is here once; backends and tests go through it by type.
using OperationShape =
    std::variant<ConvOperation, MaxPoolOperation, AvgPoolOperation, SequencePoolOperation,
                 BatchNormOperation, LayerNormOperation, ActivationOperation, DenseOperation,
                 DropoutOperation, EmbeddingOperation, PositionOperation, RecurrentOperation,
                 AttentionOperation, LastOperation, ViewOperation, ConcatOperation, AddOperation,
                 MultiplyOperation, DotOperation>;

std::vector<SampleShape> InputShapes(const OperationShape& operation);
SampleShape OutputShape(const OperationShape& operation);

// Floats in all parameters of the operation.
int64_t ParameterCount(const OperationShape& operation);

int64_t ElementCount(const SampleShape& shape);

}  // namespace baton::trainer
