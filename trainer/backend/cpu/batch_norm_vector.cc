// Batch norm of vectors, where a channel is a column: oneDNN walks down each, these loops go along
// the rows.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/cpu/statistics.h"

namespace baton::trainer::cpu {

namespace {

void AddSquares(const float* __restrict x, const float* __restrict mean, int64_t width,
                float* __restrict sums) {
  for (int64_t c = 0; c < width; ++c) sums[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
}

void Normalize(const float* __restrict x, const float* __restrict mean,
               const float* __restrict factor, const float* __restrict weight,
               const float* __restrict bias, int64_t width, float* __restrict y) {
  for (int64_t c = 0; c < width; ++c) y[c] = (x[c] - mean[c]) * factor[c] * weight[c] + bias[c];
}

void AddToGradient(const float* __restrict x, const float* __restrict dy,
                   const float* __restrict mean, const float* __restrict factor, int64_t width,
                   float* __restrict dw, float* __restrict db) {
  for (int64_t c = 0; c < width; ++c) {
    dw[c] += dy[c] * ((x[c] - mean[c]) * factor[c]);
    db[c] += dy[c];
  }
}

// `share` is what mean and variance move by when they are the batch's own, else 0.
void RowBackward(const float* __restrict x, const float* __restrict dy,
                 const float* __restrict mean, const float* __restrict factor,
                 const float* __restrict weight, const float* __restrict dw,
                 const float* __restrict db, float share, int64_t width, float* __restrict dx) {
  for (int64_t c = 0; c < width; ++c) {
    const float normal = (x[c] - mean[c]) * factor[c];
    dx[c] = weight[c] * factor[c] * (dy[c] - share * (db[c] + normal * dw[c]));
  }
}

class BatchNormOfVector : public Operation {
 public:
  BatchNormOfVector(const BatchNormOperation& shape, Context& context)
      : shape_(shape),
        width_(shape.shape[0]),
        context_(context),
        statistics_(shape),
        factor_(width_),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("batch norm", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      if (statistics_.AreOwn(arguments.pass)) {
        Measure(x, arguments.count);
      } else {
        statistics_.TakeRunning(arguments.weights);
      }
      for (int64_t c = 0; c < width_; ++c) {
        factor_[c] = 1.0f / std::sqrt(statistics_.variance[c] + shape_.epsilon);
      }
      for (int64_t n = 0; n < arguments.count; ++n) {
        Normalize(x + n * width_, statistics_.mean.data(), factor_.data(), arguments.weights,
                  arguments.weights + width_, width_, y + n * width_);
      }
      if (shape_.activation == Activation::kRelu) ClipValues(Cpu(arguments.y).memory());
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("batch norm", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      if (shape_.activation == Activation::kRelu) {
        const dnnl::memory& y = Cpu(arguments.y).memory();
        dy = Values(ClipGradient(context_, y, Cpu(arguments.dy).memory(), clip_));
      }
      float* dw = arguments.weights_gradient;
      std::fill_n(dw, 2 * width_, 0.0f);
      const float* mean = statistics_.mean.data();
      for (int64_t n = 0; n < arguments.count; ++n) {
        AddToGradient(x + n * width_, dy + n * width_, mean, factor_.data(), width_, dw,
                      dw + width_);
      }
      statistics_.WriteGradient(arguments, arguments.count);
      if (arguments.dx[0] == nullptr) return;
      float* dx = values_.Write(arguments.dx[0], arguments.count);
      const float share = shape_.frozen ? 0.0f : 1.0f / static_cast<float>(arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n) {
        RowBackward(x + n * width_, dy + n * width_, mean, factor_.data(), arguments.weights, dw,
                    dw + width_, share, width_, dx + n * width_);
      }
    });
  }

 private:
  void Measure(const float* x, int64_t count) {
    const float share = 1.0f / static_cast<float>(count);
    std::vector<float>& mean = statistics_.mean;
    std::vector<float>& variance = statistics_.variance;
    SumColumns(x, count, width_, mean.data());
    for (float& value : mean) value *= share;
    std::fill(variance.begin(), variance.end(), 0.0f);
    for (int64_t n = 0; n < count; ++n) {
      AddSquares(x + n * width_, mean.data(), width_, variance.data());
    }
    for (float& value : variance) value *= share;
  }

  BatchNormOperation shape_;
  int64_t width_;
  Context& context_;
  Statistics statistics_;
  std::vector<float> factor_;  // 1 / sqrt(variance + epsilon)
  PlainValues values_;
  Staging clip_;
};

}  // namespace

std::unique_ptr<Operation> MakeBatchNormOfVector(const BatchNormOperation& shape,
                                                 Context& context) {
  return std::make_unique<BatchNormOfVector>(shape, context);
}

}  // namespace baton::trainer::cpu
