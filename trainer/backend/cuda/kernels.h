// Own kernels, for what no library of CUDA's does as operation.h says it; one .cu file per family.
// All take row-major float32 on the card and a stream. Every sum is made by one block or one
// thread, in an order that depends on the shape alone, in double precision: no atomics anywhere.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "trainer/backend/operation.h"

namespace baton::trainer::cuda::kernels {

// elementwise_kernels.cu
void Clip(float* y, int64_t count, cudaStream_t stream);  // y = max(y, 0)
// dy = 0 where y was clipped.
void ClipGradient(const float* y, float* dy, int64_t count, cudaStream_t stream);
// As RoundToBfloat16, in place; and the upper halves alone.
void RoundToBfloat16s(float* values, int64_t count, cudaStream_t stream);
void TakeBfloat16s(const float* values, int64_t count, uint16_t* halves, cudaStream_t stream);
void AddTo(const float* from, float* into, int64_t count, cudaStream_t stream);
// y = a + b, nothing below zero where it clips; and back: what `clipped` (null: nothing) lets
// through of dy, to both.
void AddPair(const float* a, const float* b, bool clip, float* y, int64_t count,
             cudaStream_t stream);
void SharePair(const float* clipped, const float* dy, float* da, float* db, int64_t count,
               cudaStream_t stream);
void MultiplyBy(const float* by, float* values, int64_t count, cudaStream_t stream);
void Activate(const ActivationOperation& shape, const float* x, float* y, int64_t count,
              cudaStream_t stream);
void ActivateGradient(const ActivationOperation& shape, const float* x, const float* dy, float* dx,
                      int64_t count, cudaStream_t stream);
// y[i] = x[i] + w[i % period], clipped at zero when `clip`; x may be y.
void AddRows(const float* x, const float* w, int64_t period, bool clip, float* y, int64_t count,
             cudaStream_t stream);
// y[i] = keep(i) ? x[i] / (1 - rate) : 0, as DropoutOperation has it; `key`, on the card, is the
// stream's.
void Dropout(const uint64_t* key, float rate, const float* x, float* y, int64_t count,
             cudaStream_t stream);

// sum_kernels.cu
// sums[c] = sum over r of x[r,c].
void SumRows(const float* x, int64_t rows, int64_t columns, float* sums, cudaStream_t stream);

// layer_norm_kernels.cu
// `moments` (rows, 2) takes mean and 1 / deviation of each row.
void LayerNorm(const float* x, const float* weights, int64_t rows, int64_t width, float epsilon,
               float* moments, float* y, cudaStream_t stream);
void LayerNormInput(const float* x, const float* weights, const float* moments, const float* dy,
                    int64_t rows, int64_t width, float* dx, cudaStream_t stream);
// The gradients of weight and bias, one behind the other.
void LayerNormWeights(const float* x, const float* moments, const float* dy, int64_t rows,
                      int64_t width, float* gradient, cudaStream_t stream);

// batch_norm_kernels.cu
// Of `count` samples of (channels, area). `weights` holds the four parameters.
struct Channels {
  int64_t count, channels, area;
  float epsilon;
};
// By the running mean and variance.
void NormalizeByRunning(const Channels& shape, const float* x, const float* weights, float* y,
                        cudaStream_t stream);
// Its way back; dx may be null. `gradient` is that of all four parameters.
void NormalizeByRunningGradient(const Channels& shape, const float* x, const float* weights,
                                const float* dy, float* dx, float* gradient, cudaStream_t stream);
// share * mean and share * variance: the "gradient" of the running ones.
void StoreStatistics(const float* mean, const float* variance, bool one_value, float share,
                     int64_t channels, float* gradient, cudaStream_t stream);

// max_pool_kernels.cu
// `places` takes where in its channel each output comes from.
void MaxPool(const MaxPoolOperation& shape, const float* x, int64_t count, int32_t* places,
             float* y, cudaStream_t stream);
void MaxPoolGradient(const MaxPoolOperation& shape, const int32_t* places, const float* dy,
                     int64_t count, float* dx, cudaStream_t stream);

// sequence_kernels.cu
void SequencePool(const SequencePoolOperation& shape, const float* x, int64_t count, float* y,
                  cudaStream_t stream);
void SequencePoolGradient(const SequencePoolOperation& shape, const float* x, const float* dy,
                          int64_t count, float* dx, cudaStream_t stream);

// attention_kernels.cu
struct Heads {
  int64_t samples, positions, heads, depth;
  int64_t parts;  // 3: q, k and v; 1: the mixed values
};
// (samples, positions, parts, heads, depth) to (parts, samples, heads, positions, depth), and back.
void SplitHeads(const Heads& shape, const float* joint, float* split, cudaStream_t stream);
void JoinHeads(const Heads& shape, const float* split, float* joint, cudaStream_t stream);
// Softmax of each row of (rows, positions), in place; causal: row r sees r % positions + 1 values,
// the others become 0.
void Softmax(float* scores, int64_t rows, int64_t positions, bool causal, cudaStream_t stream);
// dscores = scale * shares * (dshares - sum of shares * dshares), in place of dshares.
void SoftmaxGradient(const float* shares, int64_t rows, int64_t positions, float scale,
                     float* dshares, cudaStream_t stream);

// embedding_kernels.cu
void Gather(const float* weights, const int32_t* ids, int64_t ids_count, int64_t width, float* y,
            cudaStream_t stream);
// gradient[id] = sum of dy[order[k]] over firsts[g] <= k < firsts[g + 1], for each group g with
// its id ids[g]. The rows of other ids are left alone. The number of groups is on the card; it is
// at most groups_max.
void SumGroups(const float* dy, const int32_t* ids, const int32_t* firsts, const int32_t* order,
               const int32_t* groups, int64_t groups_max, int64_t width, float* gradient,
               cudaStream_t stream);

// dot_kernels.cu
struct Dots {
  int64_t count, rows, width;
  bool one_row, cosine;
};
void Dot(const Dots& shape, const float* a, const float* b, float* y, cudaStream_t stream);
// `factors` has room for 3 values per output; da and db may be null.
void DotGradient(const Dots& shape, const float* a, const float* b, const float* dy, float* factors,
                 float* da, float* db, cudaStream_t stream);

// loss_kernels.cu
// Each row's loss and whether it was right; dx (or null) takes the gradient.
struct CrossEntropyRows {
  int64_t rows, classes, rows_per_sample;
  const int32_t* labels;
  const float* class_weights;  // or null
  float scale;
};
void CrossEntropy(const CrossEntropyRows& shape, const float* x, double* losses, int32_t* hits,
                  float* dx, cudaStream_t stream);
// The other losses, of `count` samples of `outputs` values: one entry of losses and hits for each
// kTermsPerEntry values.
inline constexpr int64_t kTermsPerEntry = 1024;
enum class TermLoss { kBinaryCrossEntropy, kSquaredError, kAbsoluteError };
struct Terms {
  int64_t count, outputs;
  TermLoss loss;
  float scale;
};
void SumTerms(const Terms& shape, const float* x, const float* targets, double* losses,
              int32_t* hits, float* dx, cudaStream_t stream);
// result = {sum of losses, sum of hits}
void SumEntries(const double* losses, const int32_t* hits, int64_t count, double* result,
                cudaStream_t stream);

}  // namespace baton::trainer::cuda::kernels
