#include <vector>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Dropout : public Operation {
 public:
  explicit Dropout(const DropoutOperation& shape)
      : rate_(shape.rate), size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const int64_t values = arguments.count * size_;
    factors_.assign(values, 1.0f);
    if (arguments.pass == Pass::kTrain) {
      for (int64_t i = 0; i < values; ++i) {
        const bool keep = RandomStream::ToUnit(arguments.stream.Bits(i)) >= rate_;
        factors_[i] = keep ? 1.0f / (1.0f - rate_) : 0.0f;
      }
    }
    const HostTensor& x = Host(arguments.x);
    HostTensor& y = Host(arguments.y);
    for (int64_t i = 0; i < values; ++i) y.values[i] = x.values[i] * factors_[i];
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx == nullptr) return absl::OkStatus();
    const HostTensor& dy = Host(arguments.dy);
    HostTensor& dx = Host(arguments.dx);
    for (int64_t i = 0; i < arguments.count * size_; ++i) {
      dx.values[i] = dy.values[i] * factors_[i];
    }
    return absl::OkStatus();
  }

 private:
  float rate_;
  int64_t size_;
  std::vector<float> factors_;  // of the last Forward
};

}  // namespace

std::unique_ptr<Operation> MakeDropout(const DropoutOperation& shape) {
  return std::make_unique<Dropout>(shape);
}

}  // namespace baton::trainer::reference
