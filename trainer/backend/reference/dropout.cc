#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Dropout : public Operation {
 public:
  explicit Dropout(const DropoutOperation& shape)
      : rate_(shape.rate), size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const int64_t values = arguments.count * size_;
    factors_.assign(values, 1.0);
    if (arguments.pass == Pass::kTrain) {
      for (int64_t i = 0; i < values; ++i) {
        const bool keep = RandomStream::ToUnit(arguments.stream.Bits(i)) >= rate_;
        factors_[i] = keep ? 1.0 / (1.0 - double{rate_}) : 0.0;
      }
    }
    for (int64_t i = 0; i < values; ++i) {
      Host(arguments.y).values[i] = Host(arguments.x[0]).values[i] * factors_[i];
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t i = 0; i < arguments.count * size_ && dx != nullptr; ++i) {
      dx->values[i] = Host(arguments.dy).values[i] * factors_[i];
    }
    return absl::OkStatus();
  }

 private:
  float rate_;
  int64_t size_;
  std::vector<double> factors_;  // of the last Forward
};

}  // namespace

std::unique_ptr<Operation> Make(const DropoutOperation& shape) {
  return std::make_unique<Dropout>(shape);
}

}  // namespace baton::trainer::reference
