#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class Conv : public Operation {
 public:
  explicit Conv(const ConvOperation& shape)
      : shape_(shape),
        channels_(shape.in[0] / shape.groups),
        weights_(shape.out[0] * channels_ * shape.kernel.height * shape.kernel.width) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const HostTensor& x = Host(arguments.x[0]);
    HostTensor& y = Host(arguments.y);
    const float* bias = arguments.weights + weights_;
    for (int64_t n = 0; n < arguments.count; ++n) {
      ForEachOutput([&](int64_t o, int64_t at_y) {
        y.sample(n)[at_y] = shape_.bias ? double{bias[o]} : 0.0;
      });
      ForEachProduct([&](int64_t at_w, int64_t at_x, int64_t at_y) {
        y.sample(n)[at_y] += double{arguments.weights[at_w]} * x.sample(n)[at_x];
      });
    }
    Activate(shape_.activation, arguments.count, y);
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    const HostTensor& x = Host(arguments.x[0]);
    HostTensor& dy = Host(arguments.dy);
    ActivateBackward(shape_.activation, arguments.count, Host(arguments.y), dy);
    GradientSums sums(weights_ + (shape_.bias ? shape_.out[0] : 0));
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t n = 0; n < arguments.count; ++n) {
      ForEachOutput([&](int64_t o, int64_t at_y) {
        if (shape_.bias) sums.data()[weights_ + o] += dy.sample(n)[at_y];
      });
      ForEachProduct([&](int64_t at_w, int64_t at_x, int64_t at_y) {
        sums.data()[at_w] += dy.sample(n)[at_y] * x.sample(n)[at_x];
        if (dx != nullptr) {
          dx->sample(n)[at_x] += double{arguments.weights[at_w]} * dy.sample(n)[at_y];
        }
      });
    }
    sums.Store(arguments.weights_gradient);
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
    const Extent kernel = shape_.kernel;
    const int64_t outputs = shape_.out[0] / shape_.groups;
    for (int64_t o = 0; o < shape_.out[0]; ++o)
      for (int64_t i = 0; i < shape_.out[1]; ++i)
        for (int64_t j = 0; j < shape_.out[2]; ++j)
          for (int64_t c = 0; c < channels_; ++c)
            for (int64_t p = 0; p < kernel.height; ++p)
              for (int64_t q = 0; q < kernel.width; ++q) {
                const int64_t row =
                    i * shape_.stride.height + p * shape_.dilation.height - shape_.padding.height;
                const int64_t column =
                    j * shape_.stride.width + q * shape_.dilation.width - shape_.padding.width;
                if (row < 0 || row >= shape_.in[1] || column < 0 || column >= shape_.in[2])
                  continue;
                const int64_t channel = o / outputs * channels_ + c;
                visit(((o * channels_ + c) * kernel.height + p) * kernel.width + q,
                      (channel * shape_.in[1] + row) * shape_.in[2] + column,
                      (o * shape_.out[1] + i) * shape_.out[2] + j);
              }
  }

  ConvOperation shape_;
  int64_t channels_;  // of one group
  int64_t weights_;
};

}  // namespace

std::unique_ptr<Operation> Make(const ConvOperation& shape) {
  return std::make_unique<Conv>(shape);
}

}  // namespace baton::trainer::reference
