#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/cpu/sums.h"
#include "trainer/numeric/float_math.h"

namespace baton::trainer::cpu {

namespace {

// Scores become shares that add up to 1; those behind `seen` are zero.
void Softmax(int64_t seen, int64_t all, float* scores) {
  const float largest = LargestOf(seen, [=](int64_t u) { return scores[u]; });
  for (int64_t u = 0; u < seen; ++u) scores[u] = FloatExponential(scores[u] - largest);
  const float factor = 1.0f / SumOf(seen, [=](int64_t u) { return scores[u]; });
  for (int64_t u = 0; u < seen; ++u) scores[u] *= factor;
  std::fill(scores + seen, scores + all, 0.0f);
}

// `gradient`, of the shares, becomes that of the scores.
void SoftmaxBackward(const float* shares, int64_t seen, int64_t all, float* gradient) {
  const float mean = SumOf(seen, [=](int64_t u) { return gradient[u] * shares[u]; });
  for (int64_t u = 0; u < seen; ++u) gradient[u] = shares[u] * (gradient[u] - mean);
  std::fill(gradient + seen, gradient + all, 0.0f);
}

class Attention : public Operation {
 public:
  Attention(const AttentionOperation& shape, Context& context)
      : positions_(shape.shape[0]),
        width_(shape.shape[1]),
        heads_(shape.heads),
        depth_(width_ / heads_),
        causal_(shape.causal),
        scale_(1.0f / std::sqrt(static_cast<float>(depth_))),
        context_(context),
        values_(context),
        bfloat16_(shape.bfloat16),
        factors_(shape.bfloat16) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("attention", [&] {
      const int64_t rows = arguments.count * positions_;
      const float* in_bias = arguments.weights + 3 * width_ * width_;
      const float* out = in_bias + 3 * width_;
      qkv_ = Floats(qkv_buffer_, rows * 3 * width_);
      shares_ = Floats(shares_buffer_, rows * heads_ * positions_);
      mixed_ = Floats(mixed_buffer_, rows * width_);
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      In(rows).Forward(InWeights(arguments.weights), factors_.Of(kInput, x, rows * width_), qkv_);
      AddRow(in_bias, rows, 3 * width_, qkv_);
      factors_.Round(qkv_, rows * 3 * width_);
      for (int64_t n = 0; n < arguments.count; ++n) {
        for (int64_t h = 0; h < heads_; ++h) Mix(n, h);
      }
      factors_.Round(mixed_, rows * width_);
      float* y = values_.Write(arguments.y, arguments.count);
      Out(rows).Forward(factors_.Of(kOutWeights, out, width_ * width_), mixed_, y);
      AddRow(out + width_ * width_, rows, width_, y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("attention", [&] {
      const int64_t rows = arguments.count * positions_;
      float* in_bias = arguments.weights_gradient + 3 * width_ * width_;
      float* out = in_bias + 3 * width_;
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      dy = factors_.Of(kInput, dy, rows * width_);
      Out(rows).BackwardWeights(mixed_, dy, out);
      SumColumns(dy, rows, width_, out + width_ * width_);
      dmixed_ = context_.scratch.TakeFloats(rows * width_);
      dqkv_ = context_.scratch.TakeFloats(rows * 3 * width_);
      dscores_ = context_.scratch.TakeFloats(positions_ * positions_);
      const float* out_weights = arguments.weights + (out - arguments.weights_gradient);
      Out(rows).BackwardData(factors_.Of(kOutWeights, out_weights, width_ * width_), dy, dmixed_);
      factors_.Round(dmixed_, rows * width_);
      for (int64_t n = 0; n < arguments.count; ++n) {
        for (int64_t h = 0; h < heads_; ++h) MixBackward(n, h);
      }
      factors_.Round(dqkv_, rows * 3 * width_);
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      In(rows).BackwardWeights(factors_.Of(kInput, x, rows * width_), dqkv_,
                               arguments.weights_gradient);
      SumColumns(dqkv_, rows, 3 * width_, in_bias);
      if (arguments.dx[0] == nullptr) return;
      float* dx = values_.Write(arguments.dx[0], arguments.count);
      In(rows).BackwardData(InWeights(arguments.weights), dqkv_, dx);
    });
  }

 private:
  enum Place : size_t { kInWeights, kOutWeights, kInput };
  const float* InWeights(const float* w) { return factors_.Of(kInWeights, w, 3 * width_ * width_); }

  static float* Floats(Buffer& buffer, int64_t count) {
    return static_cast<float*>(buffer.Reserve(count * sizeof(float)));
  }
  Linear In(int64_t rows) const { return {rows, width_, 3 * width_}; }
  Linear Out(int64_t rows) const { return {rows, width_, width_}; }
  int64_t Seen(int64_t t) const { return causal_ ? t + 1 : positions_; }

  // Where head h's part of q (0), k (1) or v (2) of sample n begins.
  int64_t At(int64_t part, int64_t n, int64_t h) const {
    return (n * positions_ * 3 + part) * width_ + h * depth_;
  }
  MatrixView Part(int64_t part, int64_t n, int64_t h, bool transposed = false) const {
    return {qkv_ + At(part, n, h), 3 * width_, transposed};
  }
  int64_t AtMixed(int64_t n, int64_t h) const { return n * positions_ * width_ + h * depth_; }
  float* Shares(int64_t n, int64_t h) const {
    return shares_ + (n * heads_ + h) * positions_ * positions_;
  }

  void Mix(int64_t n, int64_t h) {
    const int64_t all = positions_;
    float* shares = Shares(n, h);
    Multiply(all, all, depth_, scale_, Part(0, n, h), Part(1, n, h, true), 0, shares, all);
    for (int64_t t = 0; t < all; ++t) Softmax(Seen(t), all, shares + t * all);
    factors_.Round(shares, all * all);
    Multiply(all, depth_, all, 1, {shares, all}, Part(2, n, h), 0, mixed_ + AtMixed(n, h), width_);
  }

  void MixBackward(int64_t n, int64_t h) {
    const int64_t all = positions_;
    const float* shares = Shares(n, h);
    const MatrixView dmixed{dmixed_ + AtMixed(n, h), width_};
    Multiply(all, all, depth_, 1, dmixed, Part(2, n, h, true), 0, dscores_, all);
    for (int64_t t = 0; t < all; ++t) {
      SoftmaxBackward(shares + t * all, Seen(t), all, dscores_ + t * all);
    }
    // A factor of its own where no rounding comes before it.
    const float later = bfloat16_ ? 1 : scale_;
    if (bfloat16_) {
      for (int64_t i = 0; i < all * all; ++i) dscores_[i] *= scale_;
      factors_.Round(dscores_, all * all);
    }
    const auto write = [&](int64_t part, float factor, const MatrixView& a, const MatrixView& b) {
      Multiply(all, depth_, all, factor, a, b, 0, dqkv_ + At(part, n, h), 3 * width_);
    };
    write(0, later, {dscores_, all}, Part(1, n, h));
    write(1, later, {dscores_, all, true}, Part(0, n, h));
    write(2, 1, {shares, all, true}, dmixed);
  }

  int64_t positions_, width_, heads_, depth_;
  bool causal_;
  float scale_;
  Context& context_;
  PlainValues values_;
  bool bfloat16_;
  Factors factors_;
  // Of the last Forward: (rows, 3 C); (samples, heads, T, T), how much of u goes into t; (rows, C).
  float *qkv_ = nullptr, *shares_ = nullptr, *mixed_ = nullptr;
  float *dqkv_ = nullptr, *dmixed_ = nullptr, *dscores_ = nullptr;  // of the Backward at hand
  Buffer qkv_buffer_, shares_buffer_, mixed_buffer_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AttentionOperation& shape, Context& context) {
  return std::make_unique<Attention>(shape, context);
}

}  // namespace baton::trainer::cpu
