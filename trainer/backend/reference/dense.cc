#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Dense : public Operation {
 public:
  explicit Dense(const DenseOperation& shape)
      : activation_(shape.activation), in_(ElementCount(shape.in)), out_(shape.out[0]) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const float* bias = arguments.weights + out_ * in_;
    for (int64_t n = 0; n < arguments.count; ++n) {
      const float* x = Host(arguments.x).sample(n);
      float* y = Host(arguments.y).sample(n);
      for (int64_t o = 0; o < out_; ++o) {
        y[o] = bias[o];
        for (int64_t i = 0; i < in_; ++i) y[o] += arguments.weights[o * in_ + i] * x[i];
      }
    }
    Activate(activation_, arguments.count, Host(arguments.y));
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    ActivateBackward(activation_, arguments.count, Host(arguments.y), Host(arguments.dy));
    float* dw = arguments.weights_gradient;
    float* db = dw + out_ * in_;
    std::fill_n(dw, out_ * in_ + out_, 0.0f);
    for (int64_t n = 0; n < arguments.count; ++n) {
      const float* x = Host(arguments.x).sample(n);
      const float* dy = Host(arguments.dy).sample(n);
      for (int64_t o = 0; o < out_; ++o) {
        db[o] += dy[o];
        for (int64_t i = 0; i < in_; ++i) dw[o * in_ + i] += dy[o] * x[i];
      }
      if (arguments.dx == nullptr) continue;
      float* dx = Host(arguments.dx).sample(n);
      std::fill_n(dx, in_, 0.0f);
      for (int64_t o = 0; o < out_; ++o)
        for (int64_t i = 0; i < in_; ++i) dx[i] += arguments.weights[o * in_ + i] * dy[o];
    }
    return absl::OkStatus();
  }

 private:
  Activation activation_;
  int64_t in_, out_;
};

}  // namespace

std::unique_ptr<Operation> MakeDense(const DenseOperation& shape) {
  return std::make_unique<Dense>(shape);
}

}  // namespace baton::trainer::reference
