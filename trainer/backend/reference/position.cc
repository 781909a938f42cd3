#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Position : public Operation {
 public:
  explicit Position(const PositionOperation& shape) : size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t at = 0; at < arguments.count * size_; ++at) {
      Host(arguments.y).values[at] =
          Host(arguments.x[0]).values[at] + double{arguments.weights[at % size_]};
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    GradientSums sums(size_);
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t at = 0; at < arguments.count * size_; ++at) {
      const double dy = Host(arguments.dy).values[at];
      sums.data()[at % size_] += dy;
      if (dx != nullptr) dx->values[at] = dy;
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  int64_t size_;
};

}  // namespace

std::unique_ptr<Operation> Make(const PositionOperation& shape) {
  return std::make_unique<Position>(shape);
}

}  // namespace baton::trainer::reference
