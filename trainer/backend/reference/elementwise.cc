// Sum and product of several inputs.
#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Add : public Operation {
 public:
  explicit Add(const AddOperation& shape)
      : size_(ElementCount(shape.shape)), activation_(shape.activation) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    HostTensor& y = Host(arguments.y);
    for (int64_t at = 0; at < arguments.count * size_; ++at) {
      y.values[at] = 0;
      for (const Tensor* x : arguments.x) y.values[at] += Host(x).values[at];
    }
    Activate(activation_, arguments.count, y);
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    ActivateBackward(activation_, arguments.count, Host(arguments.y), Host(arguments.dy));
    for (Tensor* dx : arguments.dx) {
      for (int64_t at = 0; at < arguments.count * size_ && dx != nullptr; ++at) {
        Host(dx).values[at] = Host(arguments.dy).values[at];
      }
    }
    return absl::OkStatus();
  }

 private:
  int64_t size_;
  Activation activation_;
};

class Multiply : public Operation {
 public:
  explicit Multiply(const MultiplyOperation& shape) : size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t at = 0; at < arguments.count * size_; ++at) {
      Host(arguments.y).values[at] = Product(arguments.x, at, arguments.x.size());
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    for (size_t k = 0; k < arguments.dx.size(); ++k) {
      if (arguments.dx[k] == nullptr) continue;
      for (int64_t at = 0; at < arguments.count * size_; ++at) {
        Host(arguments.dx[k]).values[at] =
            Host(arguments.dy).values[at] * Product(arguments.x, at, k);
      }
    }
    return absl::OkStatus();
  }

 private:
  // Of all inputs but `without`.
  static double Product(absl::Span<const Tensor* const> x, int64_t at, size_t without) {
    double product = 1;
    for (size_t k = 0; k < x.size(); ++k) {
      if (k != without) product *= Host(x[k]).values[at];
    }
    return product;
  }

  int64_t size_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AddOperation& shape) { return std::make_unique<Add>(shape); }
std::unique_ptr<Operation> Make(const MultiplyOperation& shape) {
  return std::make_unique<Multiply>(shape);
}

}  // namespace baton::trainer::reference
