#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Conv : public Operation {
 public:
  explicit Conv(const ConvOperation& shape) : shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const HostTensor& x = Host(arguments.x);
    HostTensor& y = Host(arguments.y);
    const float* bias = arguments.weights + WeightCount(shape_);
    for (int64_t n = 0; n < arguments.count; ++n) {
      ForEachOutput([&](int64_t o, int64_t at_y) { y.sample(n)[at_y] = bias[o]; });
      ForEachProduct([&](int64_t at_w, int64_t at_x, int64_t at_y) {
        y.sample(n)[at_y] += arguments.weights[at_w] * x.sample(n)[at_x];
      });
    }
    Activate(shape_.activation, arguments.count, y);
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    const HostTensor& x = Host(arguments.x);
    HostTensor& dy = Host(arguments.dy);
    ActivateBackward(shape_.activation, arguments.count, Host(arguments.y), dy);
    float* dw = arguments.weights_gradient;
    float* db = dw + WeightCount(shape_);
    std::fill_n(dw, WeightCount(shape_) + BiasCount(shape_), 0.0f);
    for (int64_t n = 0; n < arguments.count; ++n) {
      ForEachOutput([&](int64_t o, int64_t at_y) { db[o] += dy.sample(n)[at_y]; });
      ForEachProduct([&](int64_t at_w, int64_t at_x, int64_t at_y) {
        dw[at_w] += dy.sample(n)[at_y] * x.sample(n)[at_x];
      });
      if (arguments.dx == nullptr) continue;
      HostTensor& dx = Host(arguments.dx);
      std::fill_n(dx.sample(n), dx.sample_size, 0.0f);
      ForEachProduct([&](int64_t at_w, int64_t at_x, int64_t at_y) {
        dx.sample(n)[at_x] += arguments.weights[at_w] * dy.sample(n)[at_y];
      });
    }
    return absl::OkStatus();
  }

 private:
  // visit(channel, position in y)
  template <class Visit>
  void ForEachOutput(const Visit& visit) const {
    const int64_t area = shape_.out[1] * shape_.out[2];
    for (int64_t at_y = 0; at_y < shape_.out[0] * area; ++at_y) visit(at_y / area, at_y);
  }

  // visit(position in w, in x, in y) for each product of the sum that defines the convolution.
  template <class Visit>
  void ForEachProduct(const Visit& visit) const {
    const int64_t kernel = shape_.kernel;
    for (int64_t o = 0; o < shape_.out[0]; ++o)
      for (int64_t i = 0; i < shape_.out[1]; ++i)
        for (int64_t j = 0; j < shape_.out[2]; ++j)
          for (int64_t c = 0; c < shape_.in[0]; ++c)
            for (int64_t p = 0; p < kernel; ++p)
              for (int64_t q = 0; q < kernel; ++q) {
                const int64_t row = i * shape_.stride + p - shape_.padding;
                const int64_t column = j * shape_.stride + q - shape_.padding;
                if (row < 0 || row >= shape_.in[1] || column < 0 || column >= shape_.in[2])
                  continue;
                visit(((o * shape_.in[0] + c) * kernel + p) * kernel + q,
                      (c * shape_.in[1] + row) * shape_.in[2] + column,
                      (o * shape_.out[1] + i) * shape_.out[2] + j);
              }
  }

  ConvOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> MakeConv(const ConvOperation& shape) {
  return std::make_unique<Conv>(shape);
}

}  // namespace baton::trainer::reference
