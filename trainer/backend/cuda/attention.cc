#include <cmath>

#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/matrix.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

// Products by cuBLAS, per sample and head in one call; the rows of the softmax by an own kernel,
// since cuDNN's has no causal mask.
class Attention : public Operation {
 public:
  Attention(const AttentionOperation& shape, Context& context)
      : context_(context),
        positions_(shape.shape[0]),
        width_(shape.shape[1]),
        heads_(shape.heads),
        depth_(width_ / heads_),
        causal_(shape.causal),
        bfloat16_(shape.bfloat16),
        scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(depth_)))),
        weights_(4 * width_ * (width_ + 1)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count, rows = count * positions_;
    const float* w = weights_.Take(context_, arguments.weights);
    float* joint = joint_.ReserveFloats(context_, 3 * rows * width_);
    float* qkv = qkv_.ReserveFloats(context_, 3 * rows * width_);
    float* shares = shares_.ReserveFloats(context_, rows * heads_ * positions_);
    float* mixed = mixed_.ReserveFloats(context_, rows * width_);
    if (!context_.ok()) return context_.End("attention");
    MultiplyRows(context_, InRows(rows), Values(arguments.x[0]), w, joint);
    kernels::AddRows(joint, w + in_bias(), 3 * width_, false, joint, 3 * rows * width_,
                     context_.stream());
    Round(joint, 3 * rows * width_);
    kernels::SplitHeads(Shape(count, 3), joint, qkv, context_.stream());
    const float* q = qkv;
    const float* k = q + rows * width_;
    const float* v = k + rows * width_;
    MultiplyBatched(context_, Square(count, false, true, scale_), q, k, shares);
    kernels::Softmax(shares, rows * heads_, positions_, causal_, context_.stream());
    Round(shares, rows * heads_ * positions_);
    MultiplyBatched(context_, Mix(count, false), shares, v, joint);
    kernels::JoinHeads(Shape(count, 1), joint, mixed, context_.stream());
    Round(mixed, rows * width_);
    float* y = Values(arguments.y);
    MultiplyRows(context_, OutRows(rows), mixed, w + out(), y);
    kernels::AddRows(y, w + out_bias(), width_, false, y, rows * width_, context_.stream());
    return context_.End("attention");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count, rows = count * positions_;
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    float* dmixed = dmixed_.ReserveFloats(context_, 2 * rows * width_);
    float* dqkv = dqkv_.ReserveFloats(context_, 3 * rows * width_);
    float* dshares = dshares_.ReserveFloats(context_, rows * heads_ * positions_);
    if (!context_.ok()) return context_.End("attention, backward");
    const float* w = weights_.values();
    float* dy = Values(arguments.dy);
    Round(dy, rows * width_);
    const Rows out_rows = OutRows(rows), in_rows = InRows(rows);
    MultiplyRowsWeights(context_, out_rows, dy, static_cast<const float*>(mixed_.data()),
                        gradient + out());
    kernels::SumRows(dy, rows, width_, gradient + out_bias(), context_.stream());
    MultiplyRowsInput(context_, out_rows, dy, w + out(), dmixed);
    Round(dmixed, rows * width_);
    float* split = dmixed + rows * width_;
    kernels::SplitHeads(Shape(count, 1), dmixed, split, context_.stream());
    MixBackward(count, split, dshares, dqkv);
    auto* joint = static_cast<float*>(joint_.data());
    kernels::JoinHeads(Shape(count, 3), dqkv, joint, context_.stream());
    Round(joint, 3 * rows * width_);
    MultiplyRowsWeights(context_, in_rows, joint, Values(arguments.x[0]), gradient);
    kernels::SumRows(joint, rows, 3 * width_, gradient + in_bias(), context_.stream());
    if (float* dx = Values(arguments.dx[0])) MultiplyRowsInput(context_, in_rows, joint, w, dx);
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("attention, backward");
  }

 private:
  // Where the parameters behind in_proj_weight begin.
  int64_t in_bias() const { return 3 * width_ * width_; }
  int64_t out() const { return in_bias() + 3 * width_; }
  int64_t out_bias() const { return out() + width_ * width_; }

  Rows InRows(int64_t rows) const { return {rows, width_, 3 * width_, bfloat16_}; }
  Rows OutRows(int64_t rows) const { return {rows, width_, width_, bfloat16_}; }
  void Round(float* values, int64_t count) {
    if (bfloat16_ && context_.ok()) kernels::RoundToBfloat16s(values, count, context_.stream());
  }

  kernels::Heads Shape(int64_t count, int64_t parts) const {
    return {count, positions_, heads_, depth_, parts};
  }
  // (T, T) of two (T, depth).
  Batched Square(int64_t count, bool a_flipped, bool b_flipped, float scale) const {
    return {count * heads_, positions_, positions_, depth_, a_flipped, b_flipped, scale, bfloat16_};
  }
  // (T, depth) of (T, T) or its transpose, and (T, depth).
  Batched Mix(int64_t count, bool flipped) const {
    return {count * heads_, positions_, depth_, positions_, flipped, false, 1, bfloat16_};
  }

  // From d loss / d mixed values to that of q, k and v, all by head.
  void MixBackward(int64_t count, const float* dmixed, float* dshares, float* dqkv) {
    const int64_t part = count * positions_ * width_;
    const auto* q = static_cast<const float*>(qkv_.data());
    const auto* shares = static_cast<const float*>(shares_.data());
    MultiplyBatched(context_, Square(count, false, true, 1), dmixed, q + 2 * part, dshares);
    MultiplyBatched(context_, Mix(count, true), shares, dmixed, dqkv + 2 * part);
    kernels::SoftmaxGradient(shares, count * positions_ * heads_, positions_, scale_, dshares,
                             context_.stream());
    Round(dshares, count * positions_ * heads_ * positions_);
    MultiplyBatched(context_, Mix(count, false), dshares, q + part, dqkv);
    MultiplyBatched(context_, Mix(count, true), dshares, q, dqkv + part);
  }

  Context& context_;
  int64_t positions_, width_, heads_, depth_;
  bool causal_, bfloat16_;
  float scale_;
  Weights weights_;
  Buffer joint_;                 // (N, T, 3, C), and whatever comes on the way
  Buffer qkv_, shares_, mixed_;  // of the last Forward: by head, by head, (N, T, C)
  Buffer dmixed_, dqkv_, dshares_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AttentionOperation& shape, Context& context) {
  return std::make_unique<Attention>(shape, context);
}

}  // namespace baton::trainer::cuda
