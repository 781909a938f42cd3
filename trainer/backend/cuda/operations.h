// The operations of this backend. The context must outlive them.
#pragma once

#include <memory>

#include "trainer/backend/backend.h"
#include "trainer/backend/cuda/context.h"
#include "trainer/backend/cuda/tensor.h"

namespace baton::trainer::cuda {

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

// One stream's loss, with the buffers it needs. All calls between the context's Begin and End.
class LossFunction {
 public:
  // Brings what Compute holds the output against.
  void Prepare(Context& context, const LossArguments& arguments, const CudaTensor& output);
  void Compute(Context& context, const LossArguments& arguments, const CudaTensor& output,
               CudaTensor* doutput);
  // Waits for what Compute has queued.
  LossResult Read(Context& context);

 private:
  Buffer labels_, class_weights_, targets_, losses_, hits_, result_;
};

}  // namespace baton::trainer::cuda
