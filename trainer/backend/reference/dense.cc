#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Dense : public Operation {
 public:
  explicit Dense(const DenseOperation& shape)
      : activation_(shape.activation),
        bias_(shape.bias),
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
        for (int64_t i = 0; i < in_; ++i) y[o] += double{w[o * in_ + i]} * x[i];
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
        if (bias_) dw[out_ * in_ + o] += dy[o];
        for (int64_t i = 0; i < in_; ++i) {
          dw[o * in_ + i] += dy[o] * x[i];
          if (dx != nullptr)
            dx->values[r * in_ + i] += double{arguments.weights[o * in_ + i]} * dy[o];
        }
      }
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  Activation activation_;
  bool bias_;
  int64_t rows_, in_, out_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DenseOperation& shape) {
  return std::make_unique<Dense>(shape);
}

}  // namespace baton::trainer::reference
