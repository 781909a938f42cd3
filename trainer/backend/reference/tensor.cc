#include "trainer/backend/reference/tensor.h"

#include <algorithm>

namespace baton::trainer::reference {

const HostTensor& Host(const Tensor* tensor) { return *static_cast<const HostTensor*>(tensor); }
HostTensor& Host(Tensor* tensor) { return *static_cast<HostTensor*>(tensor); }

HostTensor* Wanted(Tensor* dx, int64_t count) {
  if (dx == nullptr) return nullptr;
  HostTensor& host = Host(dx);
  std::fill_n(host.values.data(), count * host.sample_size, 0.0);
  return &host;
}

void GradientSums::Store(float* target) const {
  for (size_t i = 0; i < sums_.size(); ++i) target[i] = static_cast<float>(sums_[i]);
}

void Activate(Activation activation, int64_t count, HostTensor& y) {
  if (activation == Activation::kNone) return;
  for (int64_t i = 0; i < count * y.sample_size; ++i) y.values[i] = std::max(y.values[i], 0.0);
}

void ActivateBackward(Activation activation, int64_t count, const HostTensor& y, HostTensor& dy) {
  if (activation == Activation::kNone) return;
  for (int64_t i = 0; i < count * y.sample_size; ++i) {
    if (y.values[i] <= 0) dy.values[i] = 0;
  }
}

}  // namespace baton::trainer::reference
