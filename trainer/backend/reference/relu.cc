#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Relu : public Operation {
 public:
  explicit Relu(const ReluOperation& shape) : size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    HostTensor& y = Host(arguments.y);
    std::copy_n(Host(arguments.x).values.data(), arguments.count * size_, y.values.data());
    Activate(Activation::kRelu, arguments.count, y);
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx == nullptr) return absl::OkStatus();
    HostTensor& dx = Host(arguments.dx);
    std::copy_n(Host(arguments.dy).values.data(), arguments.count * size_, dx.values.data());
    ActivateBackward(Activation::kRelu, arguments.count, Host(arguments.y), dx);
    return absl::OkStatus();
  }

 private:
  int64_t size_;
};

}  // namespace

std::unique_ptr<Operation> MakeRelu(const ReluOperation& shape) {
  return std::make_unique<Relu>(shape);
}

}  // namespace baton::trainer::reference
