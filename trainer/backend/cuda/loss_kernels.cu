#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

// One block per row.
__global__ void CrossEntropyKernel(CrossEntropyRows shape, const float* x, double* losses,
                                   int32_t* hits, float* dx) {
  for (int64_t row = blockIdx.x; row < shape.rows; row += gridDim.x) {
    const float* logits = x + row * shape.classes;
    const int32_t label = shape.labels[row];
    Best best{0, -1};
    for (int64_t c = threadIdx.x; c < shape.classes; c += kThreads) {
      best = Better(best, Best{logits[c], c});
    }
    best = BlockBest<kThreads>(best);
    double sum = 0;
    for (int64_t c = threadIdx.x; c < shape.classes; c += kThreads) {
      sum += static_cast<double>(expf(logits[c] - best.value));
    }
    sum = BlockSum<kThreads>(sum);
    const float weight = shape.class_weights == nullptr ? 1 : shape.class_weights[label];
    const double share = static_cast<double>(weight) / static_cast<double>(shape.rows_per_sample);
    if (threadIdx.x == 0) {
      const double below = static_cast<double>(logits[label]) - static_cast<double>(best.value);
      losses[row] = share * (log(sum) - below);
      hits[row] = best.place == label;
    }
    if (dx == nullptr) continue;
    const double factor = static_cast<double>(shape.scale) * share;
    for (int64_t c = threadIdx.x; c < shape.classes; c += kThreads) {
      const double probability = static_cast<double>(expf(logits[c] - best.value)) / sum;
      dx[row * shape.classes + c] = static_cast<float>(factor * (probability - (c == label)));
    }
  }
}

// The loss of one output, and its derivative.
struct Term {
  double loss, slope;
};

template <TermLoss kLoss>
__device__ Term TermOf(double x, double target) {
  switch (kLoss) {
    case TermLoss::kBinaryCrossEntropy:
      return {(x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x))), 1 / (1 + exp(-x)) - target};
    case TermLoss::kSquaredError:
      return {(x - target) * (x - target), 2 * (x - target)};
    case TermLoss::kAbsoluteError:
      return {fabs(x - target), x > target ? 1.0 : x < target ? -1.0 : 0.0};
  }
  return {};
}

// One block per kTermsPerEntry values.
template <TermLoss kLoss>
__global__ void TermsKernel(Terms shape, const float* x, const float* targets, double* losses,
                            int32_t* hits, float* dx) {
  const int64_t count = shape.count * shape.outputs;
  const auto outputs = static_cast<double>(shape.outputs);
  const int64_t entries = (count + kTermsPerEntry - 1) / kTermsPerEntry;
  for (int64_t entry = blockIdx.x; entry < entries; entry += gridDim.x) {
    double sum = 0, right = 0;
    for (int64_t k = threadIdx.x; k < kTermsPerEntry; k += kThreads) {
      const int64_t i = entry * kTermsPerEntry + k;
      if (i >= count) break;
      const Term term = TermOf<kLoss>(static_cast<double>(x[i]), static_cast<double>(targets[i]));
      sum += term.loss / outputs;
      right += kLoss == TermLoss::kBinaryCrossEntropy && (x[i] > 0) == (targets[i] > 0.5f) ? 1 : 0;
      if (dx != nullptr) {
        dx[i] = static_cast<float>(static_cast<double>(shape.scale) * term.slope / outputs);
      }
    }
    sum = BlockSum<kThreads>(sum);
    right = BlockSum<kThreads>(right);
    if (threadIdx.x == 0) {
      losses[entry] = sum;
      hits[entry] = static_cast<int32_t>(right);
    }
  }
}

// One block for all. A sum of fewer than 2^53 hits is exact in double.
__global__ void SumEntriesKernel(const double* losses, const int32_t* hits, int64_t count,
                                 double* result) {
  double loss = 0, right = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    loss += losses[i];
    right += static_cast<double>(hits[i]);
  }
  loss = BlockSum<kThreads>(loss);
  right = BlockSum<kThreads>(right);
  if (threadIdx.x == 0) {
    result[0] = loss;
    result[1] = right;
  }
}

}  // namespace

void CrossEntropy(const CrossEntropyRows& shape, const float* x, double* losses, int32_t* hits,
                  float* dx, cudaStream_t stream) {
  Launch(CrossEntropyKernel, Blocks(shape.rows, 1), kThreads, stream, shape, x, losses, hits, dx);
}

void SumTerms(const Terms& shape, const float* x, const float* targets, double* losses,
              int32_t* hits, float* dx, cudaStream_t stream) {
  const unsigned blocks = Blocks(shape.count * shape.outputs, kTermsPerEntry);
  switch (shape.loss) {
    case TermLoss::kBinaryCrossEntropy:
      Launch(TermsKernel<TermLoss::kBinaryCrossEntropy>, blocks, kThreads, stream, shape, x,
             targets, losses, hits, dx);
      break;
    case TermLoss::kSquaredError:
      Launch(TermsKernel<TermLoss::kSquaredError>, blocks, kThreads, stream, shape, x, targets,
             losses, hits, dx);
      break;
    case TermLoss::kAbsoluteError:
      Launch(TermsKernel<TermLoss::kAbsoluteError>, blocks, kThreads, stream, shape, x, targets,
             losses, hits, dx);
      break;
  }
}

void SumEntries(const double* losses, const int32_t* hits, int64_t count, double* result,
                cudaStream_t stream) {
  Launch(SumEntriesKernel, 1, kThreads, stream, losses, hits, count, result);
}

}  // namespace baton::trainer::cuda::kernels
