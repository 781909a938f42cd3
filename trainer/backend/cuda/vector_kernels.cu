#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/launch.h"
#include "trainer/backend/cuda/vector_kernels.h"

namespace baton::trainer::cuda::kernels {
namespace {

__global__ void AddInOrderKernel(PostfixSum sum, int64_t first, int64_t count, float* to) {
  BATON_FOR_EACH(i, count) {
    float open[kOpenSums];
    int depth = 0, next = 0;
    for (int32_t k = 0; k < sum.length; ++k) {
      if (sum.program[k] != 0) {
        open[depth++] = sum.inputs[next++][first + i];
      } else {
        --depth;
        open[depth - 1] = open[depth - 1] + open[depth];
      }
    }
    to[i] = open[0];
  }
}

__global__ void SquareSumsKernel(const float* values, int64_t count, double* parts) {
  double own = 0;
  BATON_FOR_EACH(i, count) own += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  const double sum = BlockSum<kThreads>(own);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void SumPartsKernel(const double* parts, int64_t count, double* to) {
  double own = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) own += parts[i];
  const double sum = BlockSum<kThreads>(own);
  if (threadIdx.x == 0) *to = sum;
}

__global__ void SgdKernel(SgdRule rule, UpdateVectors v) {
  BATON_FOR_EACH(i, v.count) {
    const float g = v.gradient[i] * v.scale;
    if (rule.momentum == 0) {
      rule.Plain(g, v.weights[i]);
    } else if (rule.nesterov) {
      rule.Nesterov(g, v.weights[i], v.state[0][i]);
    } else {
      rule.Momentum(g, v.weights[i], v.state[0][i]);
    }
  }
}

__global__ void AdamKernel(AdamRule rule, UpdateVectors v) {
  BATON_FOR_EACH(i, v.count) {
    float w = v.weights[i] * rule.kept;
    rule(v.gradient[i] * v.scale, w, v.state[0][i], v.state[1][i]);
    v.weights[i] = w;
  }
}

__global__ void RmsPropKernel(RmsPropRule rule, UpdateVectors v) {
  BATON_FOR_EACH(i, v.count) {
    const float g = v.gradient[i] * v.scale;
    if (rule.momentum == 0) {
      rule.Plain(g, v.weights[i], v.state[0][i]);
    } else {
      rule.Momentum(g, v.weights[i], v.state[0][i], v.state[1][i]);
    }
  }
}

__global__ void TakeInKernel(float momentum, const float* measured, int64_t count, float* running) {
  BATON_FOR_EACH(i, count) running[i] = TakeIn(running[i], momentum, measured[i]);
}

// The finaliser of splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA'14. A bijection, so each value's every bit counts.
__device__ uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

__device__ uint64_t BlockSumOfHashes(uint64_t value) {
  __shared__ uint64_t sums[kThreads];
  sums[threadIdx.x] = value;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  return sums[0];
}

__global__ void DigestPartsKernel(const float* values, int64_t count, uint64_t* parts) {
  uint64_t own = 0;
  BATON_FOR_EACH(i, count) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof(bits));
    own += Mix(Mix(static_cast<uint64_t>(i) + 1) ^ bits);
  }
  const uint64_t sum = BlockSumOfHashes(own);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void SumDigestKernel(const uint64_t* parts, uint64_t* digest) {
  uint64_t own = 0;
  for (int i = threadIdx.x; i < kParts; i += kThreads) own += parts[i];
  const uint64_t sum = BlockSumOfHashes(own);
  if (threadIdx.x == 0) *digest = sum;
}

}  // namespace

void AddInOrder(const PostfixSum& sum, int64_t first, int64_t count, float* to,
                cudaStream_t stream) {
  Launch(AddInOrderKernel, Blocks(count), kThreads, stream, sum, first, count, to);
}

void SquareSums(const float* values, int64_t count, double* parts, cudaStream_t stream) {
  Launch(SquareSumsKernel, kParts, kThreads, stream, values, count, parts);
}

void SumParts(const double* parts, int64_t count, double* sum, cudaStream_t stream) {
  Launch(SumPartsKernel, 1, kThreads, stream, parts, count, sum);
}

void Apply(const SgdRule& rule, const UpdateVectors& vectors, cudaStream_t stream) {
  Launch(SgdKernel, Blocks(vectors.count), kThreads, stream, rule, vectors);
}

void Apply(const AdamRule& rule, const UpdateVectors& vectors, cudaStream_t stream) {
  Launch(AdamKernel, Blocks(vectors.count), kThreads, stream, rule, vectors);
}

void Apply(const RmsPropRule& rule, const UpdateVectors& vectors, cudaStream_t stream) {
  Launch(RmsPropKernel, Blocks(vectors.count), kThreads, stream, rule, vectors);
}

void TakeInAll(float momentum, const float* measured, int64_t count, float* running,
               cudaStream_t stream) {
  Launch(TakeInKernel, Blocks(count), kThreads, stream, momentum, measured, count, running);
}

void DigestParts(const float* values, int64_t count, uint64_t* parts, cudaStream_t stream) {
  Launch(DigestPartsKernel, kParts, kThreads, stream, values, count, parts);
}

void SumDigest(const uint64_t* parts, uint64_t* digest, cudaStream_t stream) {
  Launch(SumDigestKernel, 1, kThreads, stream, parts, digest);
}

}  // namespace baton::trainer::cuda::kernels
