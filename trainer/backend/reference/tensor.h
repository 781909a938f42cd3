// Row-major values in double precision, and the operations of this backend: one file each.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/backend.h"
#include "trainer/backend/bfloat16.h"

namespace baton::trainer::reference {

struct HostTensor : Tensor {
  int64_t sample_size = 0;
  std::vector<double> values;  // batch_max x sample_size

  const double* sample(int64_t n) const { return values.data() + n * sample_size; }
  double* sample(int64_t n) { return values.data() + n * sample_size; }
};

// The tensors of a stream are always of its own backend.
const HostTensor& Host(const Tensor* tensor);
HostTensor& Host(Tensor* tensor);

// Null where the gradient is not wanted; else all zero for the first `count` samples.
HostTensor* Wanted(Tensor* dx, int64_t count);

// Sums of a weights' gradient, rounded once when they are stored.
class GradientSums {
 public:
  explicit GradientSums(int64_t count) : sums_(static_cast<size_t>(count), 0.0) {}
  double* data() { return sums_.data(); }
  void Store(float* target) const;

 private:
  std::vector<double> sums_;
};

// A factor of a product, which may have to be a bfloat16.
struct Factor {
  bool bfloat16 = false;
  double operator()(double value) const {
    return bfloat16 ? double{RoundToBfloat16(static_cast<float>(value))} : value;
  }
};

std::unique_ptr<Operation> Make(const ConvOperation& shape);
std::unique_ptr<Operation> Make(const MaxPoolOperation& shape);
std::unique_ptr<Operation> Make(const AvgPoolOperation& shape);
std::unique_ptr<Operation> Make(const SequencePoolOperation& shape);
std::unique_ptr<Operation> Make(const BatchNormOperation& shape);
std::unique_ptr<Operation> Make(const LayerNormOperation& shape);
std::unique_ptr<Operation> Make(const ActivationOperation& shape);
std::unique_ptr<Operation> Make(const DenseOperation& shape);
std::unique_ptr<Operation> Make(const DropoutOperation& shape);
std::unique_ptr<Operation> Make(const EmbeddingOperation& shape);
std::unique_ptr<Operation> Make(const PositionOperation& shape);
std::unique_ptr<Operation> Make(const RecurrentOperation& shape);
std::unique_ptr<Operation> Make(const AttentionOperation& shape);
std::unique_ptr<Operation> Make(const LastOperation& shape);
std::unique_ptr<Operation> Make(const ViewOperation& shape);
std::unique_ptr<Operation> Make(const ConcatOperation& shape);
std::unique_ptr<Operation> Make(const AddOperation& shape);
std::unique_ptr<Operation> Make(const MultiplyOperation& shape);
std::unique_ptr<Operation> Make(const DotOperation& shape);

// y = max(y, 0) when the operation clips its output.
void Activate(Activation activation, int64_t count, HostTensor& y);
// dy = 0 where y was clipped.
void ActivateBackward(Activation activation, int64_t count, const HostTensor& y, HostTensor& dy);

LossResult ComputeLoss(const LossArguments& arguments, const HostTensor& output,
                       HostTensor* doutput);

}  // namespace baton::trainer::reference
