#include "trainer/backend/reference/tensor.h"
#include "trainer/backend/reference/window.h"

namespace baton::trainer::reference {

namespace {

class MaxPool : public Operation {
 public:
  explicit MaxPool(const MaxPoolOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* x = Host(arguments.x[0]).sample(n);
      double* y = Host(arguments.y).sample(n);
      ForEachWindow(shape_, [&](const Window& window, int64_t channel) {
        y[window.at_y] = x[FirstLargest(x, window, channel)];
      });
    }
    Activate(shape_.activation, arguments.count, Host(arguments.y));
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    if (dx == nullptr) return absl::OkStatus();
    ActivateBackward(shape_.activation, arguments.count, Host(arguments.y), Host(arguments.dy));
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* x = Host(arguments.x[0]).sample(n);
      const double* dy = Host(arguments.dy).sample(n);
      ForEachWindow(shape_, [&](const Window& window, int64_t channel) {
        dx->sample(n)[FirstLargest(x, window, channel)] += dy[window.at_y];
      });
    }
    return absl::OkStatus();
  }

 private:
  int64_t FirstLargest(const double* x, const Window& window, int64_t channel) const {
    int64_t best = -1;
    for (int64_t row = window.top; row < window.bottom; ++row)
      for (int64_t column = window.left; column < window.right; ++column) {
        const int64_t at = channel + row * shape_.in[2] + column;
        if (best < 0 || x[at] > x[best]) best = at;
      }
    return best;
  }

  MaxPoolOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const MaxPoolOperation& shape) {
  return std::make_unique<MaxPool>(shape);
}

}  // namespace baton::trainer::reference
