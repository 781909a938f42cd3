#include "trainer/backend/reference/tensor.h"

#include <algorithm>

namespace baton::trainer::reference {

const HostTensor& Host(const Tensor* tensor) { return *static_cast<const HostTensor*>(tensor); }
HostTensor& Host(Tensor* tensor) { return *static_cast<HostTensor*>(tensor); }

void Activate(Activation activation, int64_t count, HostTensor& y) {
  if (activation == Activation::kNone) return;
  for (int64_t i = 0; i < count * y.sample_size; ++i) y.values[i] = std::max(y.values[i], 0.0f);
}

void ActivateBackward(Activation activation, int64_t count, const HostTensor& y, HostTensor& dy) {
  if (activation == Activation::kNone) return;
  for (int64_t i = 0; i < count * y.sample_size; ++i) {
    if (y.values[i] <= 0) dy.values[i] = 0;
  }
}

}  // namespace baton::trainer::reference
