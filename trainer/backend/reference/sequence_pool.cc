#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class SequencePool : public Operation {
 public:
  explicit SequencePool(const SequencePoolOperation& shape)
      : positions_(shape.in[0]), width_(shape.in[1]), largest_(shape.largest) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* x = Host(arguments.x[0]).sample(n);
      double* y = Host(arguments.y).sample(n);
      for (int64_t c = 0; c < width_; ++c) {
        double sum = 0;
        for (int64_t t = 0; t < positions_; ++t) sum += x[t * width_ + c];
        y[c] = largest_ ? x[FirstLargest(x, c)] : sum / static_cast<double>(positions_);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    if (dx == nullptr) return absl::OkStatus();
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* dy = Host(arguments.dy).sample(n);
      for (int64_t c = 0; c < width_; ++c) {
        if (largest_) {
          dx->sample(n)[FirstLargest(Host(arguments.x[0]).sample(n), c)] = dy[c];
          continue;
        }
        for (int64_t t = 0; t < positions_; ++t) {
          dx->sample(n)[t * width_ + c] = dy[c] / static_cast<double>(positions_);
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  int64_t FirstLargest(const double* x, int64_t c) const {
    int64_t best = c;
    for (int64_t at = c; at < positions_ * width_; at += width_) {
      if (x[at] > x[best]) best = at;
    }
    return best;
  }

  int64_t positions_, width_;
  bool largest_;
};

}  // namespace

std::unique_ptr<Operation> Make(const SequencePoolOperation& shape) {
  return std::make_unique<SequencePool>(shape);
}

}  // namespace baton::trainer::reference
