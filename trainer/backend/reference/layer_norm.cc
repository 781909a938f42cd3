#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class LayerNorm : public Operation {
 public:
  explicit LayerNorm(const LayerNormOperation& shape)
      : width_(shape.shape.back()),
        rows_(ElementCount(shape.shape) / width_),
        epsilon_(shape.epsilon) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const float* w = arguments.weights;
    for (int64_t r = 0; r < arguments.count * rows_; ++r) {
      const double* x = Host(arguments.x[0]).values.data() + r * width_;
      double* y = Host(arguments.y).values.data() + r * width_;
      const Moments moments = Measure(x);
      for (int64_t c = 0; c < width_; ++c) {
        y[c] = (x[c] - moments.mean) * moments.factor * double{w[c]} + double{w[width_ + c]};
      }
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    GradientSums sums(2 * width_);
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t r = 0; r < arguments.count * rows_; ++r) {
      const double* x = Host(arguments.x[0]).values.data() + r * width_;
      const double* dy = Host(arguments.dy).values.data() + r * width_;
      const Moments moments = Measure(x);
      double mean = 0, slope = 0;  // of d loss / d normal, and of it times normal
      for (int64_t c = 0; c < width_; ++c) {
        const double normal = (x[c] - moments.mean) * moments.factor;
        sums.data()[c] += dy[c] * normal;
        sums.data()[width_ + c] += dy[c];
        mean += dy[c] * double{arguments.weights[c]} / static_cast<double>(width_);
        slope += dy[c] * double{arguments.weights[c]} * normal / static_cast<double>(width_);
      }
      for (int64_t c = 0; c < width_ && dx != nullptr; ++c) {
        const double normal = (x[c] - moments.mean) * moments.factor;
        const double own = dy[c] * double{arguments.weights[c]};
        dx->values[r * width_ + c] = moments.factor * (own - mean - normal * slope);
      }
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  struct Moments {
    double mean = 0;
    double factor = 0;  // 1 / sqrt(variance + epsilon)
  };
  Moments Measure(const double* x) const {
    Moments moments;
    double variance = 0;
    for (int64_t c = 0; c < width_; ++c) moments.mean += x[c] / static_cast<double>(width_);
    for (int64_t c = 0; c < width_; ++c) {
      variance += (x[c] - moments.mean) * (x[c] - moments.mean) / static_cast<double>(width_);
    }
    moments.factor = 1 / std::sqrt(variance + double{epsilon_});
    return moments;
  }

  int64_t width_, rows_;
  float epsilon_;
};

}  // namespace

std::unique_ptr<Operation> Make(const LayerNormOperation& shape) {
  return std::make_unique<LayerNorm>(shape);
}

}  // namespace baton::trainer::reference
