#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class MaxPool : public Operation {
 public:
  explicit MaxPool(const MaxPoolOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    for (int64_t n = 0; n < arguments.count; ++n) {
      const float* x = Host(arguments.x).sample(n);
      float* y = Host(arguments.y).sample(n);
      ForEachWindow(x, [&](int64_t at_y, int64_t at_x) { y[at_y] = x[at_x]; });
    }
    Activate(shape_.activation, arguments.count, Host(arguments.y));
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx == nullptr) return absl::OkStatus();
    ActivateBackward(shape_.activation, arguments.count, Host(arguments.y), Host(arguments.dy));
    HostTensor& dx = Host(arguments.dx);
    for (int64_t n = 0; n < arguments.count; ++n) {
      const float* dy = Host(arguments.dy).sample(n);
      std::fill_n(dx.sample(n), dx.sample_size, 0.0f);
      ForEachWindow(Host(arguments.x).sample(n),
                    [&](int64_t at_y, int64_t at_x) { dx.sample(n)[at_x] += dy[at_y]; });
    }
    return absl::OkStatus();
  }

 private:
  // visit(position in y, position in x of the window's first largest value)
  template <class Visit>
  void ForEachWindow(const float* x, const Visit& visit) const {
    for (int64_t c = 0; c < shape_.out[0]; ++c)
      for (int64_t i = 0; i < shape_.out[1]; ++i)
        for (int64_t j = 0; j < shape_.out[2]; ++j)
          visit((c * shape_.out[1] + i) * shape_.out[2] + j, FirstLargest(x, c, i, j));
  }

  int64_t FirstLargest(const float* x, int64_t c, int64_t i, int64_t j) const {
    const int64_t top = i * shape_.stride - shape_.padding;
    const int64_t left = j * shape_.stride - shape_.padding;
    const int64_t bottom = std::min(top + shape_.kernel, shape_.in[1]);
    const int64_t right = std::min(left + shape_.kernel, shape_.in[2]);
    int64_t best = -1;
    for (int64_t row = std::max<int64_t>(top, 0); row < bottom; ++row)
      for (int64_t column = std::max<int64_t>(left, 0); column < right; ++column) {
        const int64_t at = (c * shape_.in[1] + row) * shape_.in[2] + column;
        if (best < 0 || x[at] > x[best]) best = at;
      }
    return best;
  }

  MaxPoolOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> MakeMaxPool(const MaxPoolOperation& shape) {
  return std::make_unique<MaxPool>(shape);
}

}  // namespace baton::trainer::reference
