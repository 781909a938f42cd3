// Row-major values, and the operations of this backend: one file each.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/backend.h"

namespace baton::trainer::reference {

struct HostTensor : Tensor {
  int64_t sample_size = 0;
  std::vector<float> values;  // batch_max x sample_size

  const float* sample(int64_t n) const { return values.data() + n * sample_size; }
  float* sample(int64_t n) { return values.data() + n * sample_size; }
};

// The tensors of a stream are always of its own backend.
const HostTensor& Host(const Tensor* tensor);
HostTensor& Host(Tensor* tensor);

std::unique_ptr<Operation> MakeConv(const ConvOperation& shape);
std::unique_ptr<Operation> MakeMaxPool(const MaxPoolOperation& shape);
std::unique_ptr<Operation> MakeRelu(const ReluOperation& shape);
std::unique_ptr<Operation> MakeDense(const DenseOperation& shape);
std::unique_ptr<Operation> MakeDropout(const DropoutOperation& shape);

// y = max(y, 0) when the operation clips its output.
void Activate(Activation activation, int64_t count, HostTensor& y);
// dy = 0 where y was clipped.
void ActivateBackward(Activation activation, int64_t count, const HostTensor& y, HostTensor& dy);

LossResult SoftmaxCrossEntropy(const HostTensor& logits, const int32_t* labels, int64_t count,
                               float scale, HostTensor* dlogits);

}  // namespace baton::trainer::reference
