#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Dense : public Operation {
 public:
  explicit Dense(const DenseOperation& shape)
      : activation_(shape.activation),
        bias_(shape.bias),
        factor_{shape.bfloat16},
        rows_(shape.rows),
        in_(ElementCount(shape.in) / shape.rows),
        out_(shape.out.back()) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const float* w = arguments.weights;
    for (int64_t r = 0; r < arguments.count * rows_; ++r) {
      const double* x = Host(arguments.x[0]).values.data() + r * in_;
      double* y = Host(arguments.y).values.data() + r * out_;
      for (int64_t o = 0; o < out_; ++o) {
        y[o] = bias_ ? double{w[out_ * in_ + o]} : 0.0;
        for (int64_t i = 0; i < in_; ++i) y[o] += factor_(w[o * in_ + i]) * factor_(x[i]);
      }
    }
    Activate(activation_, arguments.count, Host(arguments.y));
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    ActivateBackward(activation_, arguments.count, Host(arguments.y), Host(arguments.dy));
    GradientSums sums(out_ * (in_ + (bias_ ? 1 : 0)));
    double* dw = sums.data();
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t r = 0; r < arguments.count * rows_; ++r) {
      const double* x = Host(arguments.x[0]).values.data() + r * in_;
      const double* dy = Host(arguments.dy).values.data() + r * out_;
      for (int64_t o = 0; o < out_; ++o) {
        const double g = factor_(dy[o]);
        if (bias_) dw[out_ * in_ + o] += g;
        for (int64_t i = 0; i < in_; ++i) {
          dw[o * in_ + i] += g * factor_(x[i]);
          if (dx != nullptr) {
            dx->values[r * in_ + i] += factor_(arguments.weights[o * in_ + i]) * g;
          }
        }
      }
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  Activation activation_;
  bool bias_;
  Factor factor_;
  int64_t rows_, in_, out_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DenseOperation& shape) {
  return std::make_unique<Dense>(shape);
}

}  // namespace baton::trainer::reference
