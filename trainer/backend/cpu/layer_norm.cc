#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/cpu/sums.h"

namespace baton::trainer::cpu {

namespace {

// What one row was moved and multiplied by.
struct Moments {
  float mean = 0;
  float factor = 0;  // 1 / sqrt(variance + epsilon)
};

Moments Measure(const float* x, int64_t width, float epsilon) {
  const float share = 1.0f / static_cast<float>(width);
  const float mean = SumOf(width, [=](int64_t c) { return x[c]; }) * share;
  const float variance =
      SumOf(width, [=](int64_t c) { return (x[c] - mean) * (x[c] - mean); }) * share;
  return {mean, 1.0f / std::sqrt(variance + epsilon)};
}

void Normalize(const float* x, const Moments& m, const float* weight, const float* bias,
               int64_t width, float* y) {
  for (int64_t c = 0; c < width; ++c) y[c] = (x[c] - m.mean) * m.factor * weight[c] + bias[c];
}

// Adds a row's share to the gradients of weight and bias.
void AddToGradient(const float* x, const float* dy, const Moments& m, int64_t width, float* dw,
                   float* db) {
  for (int64_t c = 0; c < width; ++c) {
    dw[c] += dy[c] * ((x[c] - m.mean) * m.factor);
    db[c] += dy[c];
  }
}

void RowBackward(const float* x, const float* dy, const Moments& m, const float* weight,
                 int64_t width, float* dx) {
  const float share = 1.0f / static_cast<float>(width);
  // Of d loss / d normal, and of it times normal.
  const float mean = SumOf(width, [=](int64_t c) { return dy[c] * weight[c]; }) * share;
  const float slope =
      SumOf(width, [&](int64_t c) { return dy[c] * weight[c] * ((x[c] - m.mean) * m.factor); }) *
      share;
  for (int64_t c = 0; c < width; ++c) {
    const float normal = (x[c] - m.mean) * m.factor;
    dx[c] = m.factor * (dy[c] * weight[c] - mean - normal * slope);
  }
}

class LayerNorm : public Operation {
 public:
  LayerNorm(const LayerNormOperation& shape, Context& context)
      : width_(shape.shape.back()),
        rows_(ElementCount(shape.shape) / width_),
        epsilon_(shape.epsilon),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("layer norm", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      moments_.resize(arguments.count * rows_);
      for (Moments& moments : moments_) {
        moments = Measure(x, width_, epsilon_);
        Normalize(x, moments, arguments.weights, arguments.weights + width_, width_, y);
        x += width_;
        y += width_;
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("layer norm", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      float* dx =
          arguments.dx[0] == nullptr ? nullptr : values_.Write(arguments.dx[0], arguments.count);
      float* dw = std::fill_n(arguments.weights_gradient, 2 * width_, 0.0f) - 2 * width_;
      for (const Moments& moments : moments_) {
        AddToGradient(x, dy, moments, width_, dw, dw + width_);
        if (dx != nullptr) {
          RowBackward(x, dy, moments, arguments.weights, width_, dx);
          dx += width_;
        }
        x += width_;
        dy += width_;
      }
    });
  }

 private:
  int64_t width_, rows_;
  float epsilon_;
  std::vector<Moments> moments_;  // of the last Forward, by row
  PlainValues values_;
};

}  // namespace

std::unique_ptr<Operation> Make(const LayerNormOperation& shape, Context& context) {
  return std::make_unique<LayerNorm>(shape, context);
}

}  // namespace baton::trainer::cpu
