#include <algorithm>
#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

// y[r,o] = b[o] + sum over i of w[o,i] x[r,i]
void Rows(Factor factor, const float* w, const float* b, const double* x, int64_t rows, int64_t in,
          int64_t out, double* y) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      y[r * out + o] = b[o];
      for (int64_t i = 0; i < in; ++i) {
        y[r * out + o] += factor(w[o * in + i]) * factor(x[r * in + i]);
      }
    }
}

// The way back of Rows: adds to dw and db, and to dx where it is not null.
void RowsBackward(Factor factor, const float* w, const double* x, const double* dy, int64_t rows,
                  int64_t in, int64_t out, double* dw, double* db, double* dx) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      const double g = factor(dy[r * out + o]);
      db[o] += g;
      for (int64_t i = 0; i < in; ++i) {
        dw[o * in + i] += g * factor(x[r * in + i]);
        if (dx != nullptr) dx[r * in + i] += factor(w[o * in + i]) * g;
      }
    }
}

class Attention : public Operation {
 public:
  explicit Attention(const AttentionOperation& shape)
      : positions_(shape.shape[0]),
        width_(shape.shape[1]),
        heads_(shape.heads),
        depth_(width_ / heads_),
        causal_(shape.causal),
        factor_{shape.bfloat16} {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const Matrices w = Weights(arguments.weights);
    samples_.assign(arguments.count, Sample());
    for (int64_t n = 0; n < arguments.count; ++n) {
      Sample& sample = samples_[n];
      sample.qkv.resize(positions_ * 3 * width_);
      sample.shares.assign(heads_ * positions_ * positions_, 0.0);
      sample.mixed.assign(positions_ * width_, 0.0);
      Rows(factor_, w.in, w.in_bias, Host(arguments.x[0]).sample(n), positions_, width_, 3 * width_,
           sample.qkv.data());
      Round(sample.qkv);
      for (int64_t h = 0; h < heads_; ++h)
        for (int64_t t = 0; t < positions_; ++t) Mix(&sample, h, t);
      Round(sample.mixed);
      Rows(factor_, w.out, w.out_bias, sample.mixed.data(), positions_, width_, width_,
           Host(arguments.y).sample(n));
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    const Matrices w = Weights(arguments.weights);
    GradientSums sums(4 * width_ * (width_ + 1));
    double* dw_in = sums.data();
    double* db_in = dw_in + 3 * width_ * width_;
    double* dw_out = db_in + 3 * width_;
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t n = 0; n < arguments.count; ++n) {
      const Sample& sample = samples_[n];
      std::vector<double> dmixed(positions_ * width_, 0.0), dqkv(positions_ * 3 * width_, 0.0);
      RowsBackward(factor_, w.out, sample.mixed.data(), Host(arguments.dy).sample(n), positions_,
                   width_, width_, dw_out, dw_out + width_ * width_, dmixed.data());
      Round(dmixed);
      for (int64_t h = 0; h < heads_; ++h)
        for (int64_t t = 0; t < positions_; ++t) {
          MixBackward(sample, h, t, dmixed.data() + t * width_ + h * depth_, dqkv.data());
        }
      Round(dqkv);
      RowsBackward(factor_, w.in, Host(arguments.x[0]).sample(n), dqkv.data(), positions_, width_,
                   3 * width_, dw_in, db_in, dx == nullptr ? nullptr : dx->sample(n));
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  struct Sample {
    std::vector<double> qkv;     // (T, 3 C)
    std::vector<double> shares;  // (heads, T, T): how much of u goes into t
    std::vector<double> mixed;   // (T, C)
  };
  void Round(std::vector<double>& values) const {
    for (double& value : values) value = factor_(value);
  }

  struct Matrices {
    const float *in, *in_bias, *out, *out_bias;
  };
  Matrices Weights(const float* w) const {
    const float* in_bias = w + 3 * width_ * width_;
    const float* out = in_bias + 3 * width_;
    return {w, in_bias, out, out + width_ * width_};
  }
  // Where head h's part of q (0), k (1) or v (2) of position t begins.
  int64_t At(int64_t part, int64_t h, int64_t t) const {
    return t * 3 * width_ + part * width_ + h * depth_;
  }
  int64_t Seen(int64_t t) const { return causal_ ? t + 1 : positions_; }
  double Scale() const { return 1 / std::sqrt(static_cast<double>(depth_)); }

  void Mix(Sample* sample, int64_t h, int64_t t) const {
    double* shares = sample->shares.data() + (h * positions_ + t) * positions_;
    const double* qkv = sample->qkv.data();
    for (int64_t u = 0; u < Seen(t); ++u) {
      for (int64_t d = 0; d < depth_; ++d) {
        shares[u] += qkv[At(0, h, t) + d] * qkv[At(1, h, u) + d] * Scale();
      }
    }
    const double largest = *std::max_element(shares, shares + Seen(t));
    double sum = 0;
    for (int64_t u = 0; u < Seen(t); ++u) sum += shares[u] = std::exp(shares[u] - largest);
    for (int64_t u = 0; u < Seen(t); ++u) {
      shares[u] = factor_(shares[u] / sum);
      for (int64_t d = 0; d < depth_; ++d) {
        sample->mixed[t * width_ + h * depth_ + d] += shares[u] * qkv[At(2, h, u) + d];
      }
    }
  }

  void MixBackward(const Sample& sample, int64_t h, int64_t t, const double* dmixed,
                   double* dqkv) const {
    const double* shares = sample.shares.data() + (h * positions_ + t) * positions_;
    const double* qkv = sample.qkv.data();
    std::vector<double> dshares(Seen(t), 0.0);
    double mean = 0;
    for (int64_t u = 0; u < Seen(t); ++u) {
      for (int64_t d = 0; d < depth_; ++d) {
        dshares[u] += dmixed[d] * qkv[At(2, h, u) + d];
        dqkv[At(2, h, u) + d] += dmixed[d] * shares[u];
      }
      mean += dshares[u] * shares[u];
    }
    for (int64_t u = 0; u < Seen(t); ++u) {
      const double dscore = factor_(shares[u] * (dshares[u] - mean) * Scale());
      for (int64_t d = 0; d < depth_; ++d) {
        dqkv[At(0, h, t) + d] += dscore * qkv[At(1, h, u) + d];
        dqkv[At(1, h, u) + d] += dscore * qkv[At(0, h, t) + d];
      }
    }
  }

  int64_t positions_, width_, heads_, depth_;
  bool causal_;
  Factor factor_;
  std::vector<Sample> samples_;  // of the last Forward
};

}  // namespace

std::unique_ptr<Operation> Make(const AttentionOperation& shape) {
  return std::make_unique<Attention>(shape);
}

}  // namespace baton::trainer::reference
