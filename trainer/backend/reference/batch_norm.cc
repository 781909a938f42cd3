#include <algorithm>
#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

class BatchNorm : public Operation {
 public:
  explicit BatchNorm(const BatchNormOperation& shape)
      : shape_(shape), channels_(shape.shape[0]), area_(ElementCount(shape.shape) / channels_) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    const float* w = arguments.weights;
    own_ = arguments.pass == Pass::kTrain && !shape_.frozen;
    mean_.assign(channels_, 0);
    variance_.assign(channels_, 0);
    for (int64_t c = 0; c < channels_; ++c) {
      mean_[c] = w[2 * channels_ + c];
      variance_[c] = w[3 * channels_ + c];
    }
    if (own_) Measure(Host(arguments.x[0]), arguments.count);
    ForEach(arguments.count, [&](int64_t c, int64_t at) {
      const double normal = (Host(arguments.x[0]).values[at] - mean_[c]) * Factor(c);
      Host(arguments.y).values[at] = normal * double{w[c]} + double{w[channels_ + c]};
    });
    Activate(shape_.activation, arguments.count, Host(arguments.y));
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    ActivateBackward(shape_.activation, arguments.count, Host(arguments.y), Host(arguments.dy));
    const HostTensor& x = Host(arguments.x[0]);
    const HostTensor& dy = Host(arguments.dy);
    const auto values = static_cast<double>(arguments.count * area_);
    GradientSums sums(4 * channels_);
    double* dw = sums.data();
    double* db = dw + channels_;
    ForEach(arguments.count, [&](int64_t c, int64_t at) {
      dw[c] += dy.values[at] * (x.values[at] - mean_[c]) * Factor(c);
      db[c] += dy.values[at];
    });
    if (HostTensor* dx = Wanted(arguments.dx[0], arguments.count)) {
      ForEach(arguments.count, [&](int64_t c, int64_t at) {
        const double normal = (x.values[at] - mean_[c]) * Factor(c);
        // Mean and variance move with x when they are its own.
        const double through = own_ ? (db[c] + normal * dw[c]) / values : 0;
        dx->values[at] = double{arguments.weights[c]} * Factor(c) * (dy.values[at] - through);
      });
    }
    const double share = double{arguments.statistics_scale} * static_cast<double>(arguments.count);
    for (int64_t c = 0; c < channels_ && own_; ++c) {
      dw[2 * channels_ + c] = share * mean_[c];
      dw[3 * channels_ + c] = share * variance_[c] * values / std::max(values - 1, 1.0);
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  // visit(channel, position)
  template <class Visit>
  void ForEach(int64_t count, const Visit& visit) const {
    for (int64_t at = 0; at < count * channels_ * area_; ++at) visit(at / area_ % channels_, at);
  }
  double Factor(int64_t c) const { return 1 / std::sqrt(variance_[c] + double{shape_.epsilon}); }

  void Measure(const HostTensor& x, int64_t count) {
    const auto values = static_cast<double>(count * area_);
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(variance_.begin(), variance_.end(), 0.0);
    ForEach(count, [&](int64_t c, int64_t at) { mean_[c] += x.values[at] / values; });
    ForEach(count, [&](int64_t c, int64_t at) {
      variance_[c] += (x.values[at] - mean_[c]) * (x.values[at] - mean_[c]) / values;
    });
  }

  BatchNormOperation shape_;
  int64_t channels_, area_;
  bool own_ = false;                     // statistics of the micro-batch, not the running ones
  std::vector<double> mean_, variance_;  // by which the last Forward normalised
};

}  // namespace

std::unique_ptr<Operation> Make(const BatchNormOperation& shape) {
  return std::make_unique<BatchNorm>(shape);
}

}  // namespace baton::trainer::reference
