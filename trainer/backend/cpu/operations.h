// The operations of this backend, one file each. The context must outlive them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "trainer/backend/backend.h"
#include "trainer/backend/cpu/context.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

std::unique_ptr<Operation> Make(const ConvOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const MaxPoolOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const AvgPoolOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const SequencePoolOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const BatchNormOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const LayerNormOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const ActivationOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const DenseOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const DropoutOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const EmbeddingOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const PositionOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const RecurrentOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const AttentionOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const LastOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const ViewOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const ConcatOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const AddOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const MultiplyOperation& shape, Context& context);
std::unique_ptr<Operation> Make(const DotOperation& shape, Context& context);

// What Make gives for a dense operation of several rows, and for a batch norm of vectors.
std::unique_ptr<Operation> MakeDenseRows(const DenseOperation& shape, Context& context);
std::unique_ptr<Operation> MakeBatchNormOfVector(const BatchNormOperation& shape, Context& context);

// y = max(y, 0), in place.
void ClipValues(const dnnl::memory& y);

// dy = 0 where y is 0, in place; `staging` brings dy into y's layout first, and holds the result
// if it had another.
dnnl::memory ClipGradient(Context& context, const dnnl::memory& y, const dnnl::memory& dy,
                          Staging& staging);

// `output` and `doutput` (or null) are row-major, `outputs` values a sample.
LossResult ComputeLoss(const LossArguments& arguments, const float* output, int64_t outputs,
                       float* doutput);

// The primitives of an operation for each (batch count, layout of x) that came along. A run sees
// few: full micro-batches, those of an epoch's last step, those of the evaluation.
template <class Plan>
class PlanCache {
 public:
  template <class MakePlan>
  Plan& Get(int64_t count, const dnnl::memory::desc& x, const MakePlan& make) {
    auto found = plans_.find(count);
    if (found == plans_.end() || found->second->x_desc != x) {
      found = plans_.insert_or_assign(count, make()).first;
      found->second->x_desc = x;
    }
    return *found->second;
  }
  Plan& Last(int64_t count) { return *plans_.at(count); }

 private:
  std::map<int64_t, std::unique_ptr<Plan>> plans_;
};

}  // namespace baton::trainer::cpu
