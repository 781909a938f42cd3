// Kernels over the flat vectors of a training. As kernels.h has it: every sum is made by one thread
// or one block, in an order that the number of values decides.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "trainer/backend/update_rule.h"

namespace baton::trainer::cuda::kernels {

// A sum in postfix: program[k] != 0 takes the next of `inputs`, 0 adds the two topmost. Both lie on
// the card.
struct PostfixSum {
  const float* const* inputs;
  const uint8_t* program;
  int32_t length;
};
// Partial sums that may be open at once: one per level of a tree over any number of shards.
inline constexpr int kOpenSums = 33;
void AddInOrder(const PostfixSum& sum, int64_t first, int64_t count, float* to,
                cudaStream_t stream);

// parts[b] = block b's share of the sum of squares, b < kParts.
inline constexpr int kParts = 512;
void SquareSums(const float* values, int64_t count, double* parts, cudaStream_t stream);
// sum = of `count` parts.
void SumParts(const double* parts, int64_t count, double* sum, cudaStream_t stream);

struct UpdateVectors {
  float* weights;
  const float* gradient;
  float* state[2];
  int64_t count;
  float scale;
};
void Apply(const SgdRule& rule, const UpdateVectors& vectors, cudaStream_t stream);
void Apply(const AdamRule& rule, const UpdateVectors& vectors, cudaStream_t stream);
void Apply(const RmsPropRule& rule, const UpdateVectors& vectors, cudaStream_t stream);
void TakeInAll(float momentum, const float* measured, int64_t count, float* running,
               cudaStream_t stream);

// parts[b] = block b's share of a sum, modulo 2^64, of a hash of each value with its place.
void DigestParts(const float* values, int64_t count, uint64_t* parts, cudaStream_t stream);
// digest = the sum of kParts parts.
void SumDigest(const uint64_t* parts, uint64_t* digest, cudaStream_t stream);

}  // namespace baton::trainer::cuda::kernels
