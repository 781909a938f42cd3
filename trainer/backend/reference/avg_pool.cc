#include "trainer/backend/reference/tensor.h"
#include "trainer/backend/reference/window.h"

namespace baton::trainer::reference {

namespace {

class AvgPool : public Operation {
 public:
  explicit AvgPool(const AvgPoolOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* x = Host(arguments.x[0]).sample(n);
      double* y = Host(arguments.y).sample(n);
      ForEachWindow(shape_, [&](const Window& window, int64_t channel) {
        double sum = 0;
        for (int64_t row = window.top; row < window.bottom; ++row)
          for (int64_t column = window.left; column < window.right; ++column)
            sum += x[channel + row * shape_.in[2] + column];
        y[window.at_y] = sum / Divisor(window);
      });
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    if (dx == nullptr) return absl::OkStatus();
    for (int64_t n = 0; n < arguments.count; ++n) {
      const double* dy = Host(arguments.dy).sample(n);
      ForEachWindow(shape_, [&](const Window& window, int64_t channel) {
        for (int64_t row = window.top; row < window.bottom; ++row)
          for (int64_t column = window.left; column < window.right; ++column)
            dx->sample(n)[channel + row * shape_.in[2] + column] +=
                dy[window.at_y] / Divisor(window);
      });
    }
    return absl::OkStatus();
  }

 private:
  double Divisor(const Window& window) const {
    const int64_t all = shape_.kernel.height * shape_.kernel.width;
    return static_cast<double>(shape_.count_padding ? all : window.cells());
  }

  AvgPoolOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AvgPoolOperation& shape) {
  return std::make_unique<AvgPool>(shape);
}

}  // namespace baton::trainer::reference
