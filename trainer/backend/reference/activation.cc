#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double NormalBelow(double x) { return (1 + std::erf(x / std::sqrt(2.0))) / 2; }

double Value(Function function, double slope, double x) {
  switch (function) {
    case Function::kRelu:
      return x > 0 ? x : 0;
    case Function::kLeakyRelu:
      return x > 0 ? x : slope * x;
    case Function::kElu:
      return x > 0 ? x : slope * std::expm1(x);
    case Function::kSigmoid:
      return Sigmoid(x);
    case Function::kTanh:
      return std::tanh(x);
    case Function::kGelu:
      return x * NormalBelow(x);
    case Function::kSilu:
      return x * Sigmoid(x);
  }
  return 0;
}

double Derivative(Function function, double slope, double x) {
  constexpr double kInverseRootOfTwoPi = 0.3989422804014327;
  switch (function) {
    case Function::kRelu:
      return x > 0 ? 1 : 0;
    case Function::kLeakyRelu:
      return x > 0 ? 1 : slope;
    case Function::kElu:
      return x > 0 ? 1 : slope * std::exp(x);
    case Function::kSigmoid:
      return Sigmoid(x) * Sigmoid(-x);
    case Function::kTanh:
      return 1 - std::tanh(x) * std::tanh(x);
    case Function::kGelu:
      return NormalBelow(x) + x * kInverseRootOfTwoPi * std::exp(-x * x / 2);
    case Function::kSilu:
      return Sigmoid(x) * (1 + x * Sigmoid(-x));
  }
  return 0;
}

class ActivationFunction : public Operation {
 public:
  explicit ActivationFunction(const ActivationOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const HostTensor& x = Host(arguments.x[0]);
    for (int64_t i = 0; i < arguments.count * x.sample_size; ++i) {
      Host(arguments.y).values[i] = Value(shape_.function, shape_.slope, x.values[i]);
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    if (dx == nullptr) return absl::OkStatus();
    const HostTensor& x = Host(arguments.x[0]);
    for (int64_t i = 0; i < arguments.count * x.sample_size; ++i) {
      dx->values[i] =
          Host(arguments.dy).values[i] * Derivative(shape_.function, shape_.slope, x.values[i]);
    }
    return absl::OkStatus();
  }

 private:
  ActivationOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const ActivationOperation& shape) {
  return std::make_unique<ActivationFunction>(shape);
}

}  // namespace baton::trainer::reference
