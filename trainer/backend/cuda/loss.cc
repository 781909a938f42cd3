#include <array>

#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

template <class T>
void Bring(Context& context, const T* host, int64_t count, Buffer& buffer) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(T);
  context.Upload(host, bytes, buffer.Reserve(context, bytes));
}

template <class T>
T* Room(Context& context, int64_t count, Buffer& buffer) {
  return static_cast<T*>(buffer.Reserve(context, static_cast<size_t>(count) * sizeof(T)));
}

kernels::TermLoss TermLossOf(Loss loss) {
  if (loss == Loss::kBinaryCrossEntropy) return kernels::TermLoss::kBinaryCrossEntropy;
  return loss == Loss::kSquaredError ? kernels::TermLoss::kSquaredError
                                     : kernels::TermLoss::kAbsoluteError;
}

}  // namespace

void LossFunction::Prepare(Context& context, const LossArguments& arguments,
                           const CudaTensor& output) {
  if (arguments.loss != Loss::kSoftmaxCrossEntropy) {
    Bring(context, arguments.targets, arguments.count * output.sample_size(), targets_);
    return;
  }
  Bring(context, arguments.labels, arguments.count * arguments.rows, labels_);
  if (arguments.class_weights == nullptr) return;
  Bring(context, arguments.class_weights, output.sample_size() / arguments.rows, class_weights_);
}

void LossFunction::Compute(Context& context, const LossArguments& arguments,
                           const CudaTensor& output, CudaTensor* doutput) {
  const int64_t values = arguments.count * output.sample_size();
  const bool by_label = arguments.loss == Loss::kSoftmaxCrossEntropy;
  const int64_t entries = by_label
                              ? arguments.count * arguments.rows
                              : (values + kernels::kTermsPerEntry - 1) / kernels::kTermsPerEntry;
  auto* losses = Room<double>(context, entries, losses_);
  auto* hits = Room<int32_t>(context, entries, hits_);
  auto* result = Room<double>(context, 2, result_);
  float* dx = doutput == nullptr ? nullptr : doutput->values();
  if (by_label) {
    kernels::CrossEntropyRows rows{};
    rows.rows = entries;
    rows.classes = output.sample_size() / arguments.rows;
    rows.rows_per_sample = arguments.rows;
    rows.labels = static_cast<const int32_t*>(labels_.data());
    if (arguments.class_weights != nullptr) {
      rows.class_weights = static_cast<const float*>(class_weights_.data());
    }
    rows.scale = arguments.scale;
    if (!context.ok()) return;
    kernels::CrossEntropy(rows, output.values(), losses, hits, dx, context.stream());
  } else {
    const auto* targets = static_cast<const float*>(targets_.data());
    if (!context.ok()) return;
    kernels::SumTerms(
        {arguments.count, output.sample_size(), TermLossOf(arguments.loss), arguments.scale},
        output.values(), targets, losses, hits, dx, context.stream());
  }
  kernels::SumEntries(losses, hits, entries, result, context.stream());
}

LossResult LossFunction::Read(Context& context) {
  std::array<double, 2> sums{};
  context.Download(result_.data(), sizeof(sums), sums.data());
  return {sums[0], static_cast<int64_t>(sums[1])};
}

}  // namespace baton::trainer::cuda
