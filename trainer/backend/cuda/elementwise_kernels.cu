#include "trainer/backend/bfloat16.h"
#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"
#include "trainer/backend/cuda/philox.h"

namespace baton::trainer::cuda::kernels {
namespace {

__device__ float Sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ float NormalBelow(float x) { return (1 + erff(x * 0.70710678f)) / 2; }

template <Function kFunction>
__device__ float Value(float slope, float x) {
  switch (kFunction) {
    case Function::kRelu:
      return x > 0 ? x : 0;
    case Function::kLeakyRelu:
      return x > 0 ? x : slope * x;
    case Function::kElu:
      return x > 0 ? x : slope * expm1f(x);
    case Function::kSigmoid:
      return Sigmoid(x);
    case Function::kTanh:
      return tanhf(x);
    case Function::kGelu:
      return x * NormalBelow(x);
    case Function::kSilu:
      return x * Sigmoid(x);
  }
  return 0;
}

template <Function kFunction>
__device__ float Derivative(float slope, float x) {
  constexpr float kInverseRootOfTwoPi = 0.39894228f;
  switch (kFunction) {
    case Function::kRelu:
      return x > 0 ? 1 : 0;
    case Function::kLeakyRelu:
      return x > 0 ? 1 : slope;
    case Function::kElu:
      return x > 0 ? 1 : slope * expf(x);
    case Function::kSigmoid:
      return Sigmoid(x) * Sigmoid(-x);
    case Function::kTanh: {
      const float y = tanhf(x);
      return (1 - y) * (1 + y);
    }
    case Function::kGelu:
      return NormalBelow(x) + x * kInverseRootOfTwoPi * expf(-x * x / 2);
    case Function::kSilu:
      return Sigmoid(x) * (1 + x * Sigmoid(-x));
  }
  return 0;
}

template <Function kFunction>
__global__ void ActivateKernel(float slope, const float* x, float* y, int64_t count) {
  BATON_FOR_EACH(i, count) y[i] = Value<kFunction>(slope, x[i]);
}

template <Function kFunction>
__global__ void ActivateGradientKernel(float slope, const float* x, const float* dy, float* dx,
                                       int64_t count) {
  BATON_FOR_EACH(i, count) dx[i] = dy[i] * Derivative<kFunction>(slope, x[i]);
}

__global__ void ClipKernel(float* y, int64_t count) {
  // A NaN stays one, so that it is found.
  BATON_FOR_EACH(i, count) y[i] = y[i] < 0 ? 0 : y[i];
}

__global__ void ClipGradientKernel(const float* y, float* dy, int64_t count) {
  BATON_FOR_EACH(i, count) {
    if (y[i] <= 0) dy[i] = 0;
  }
}

__global__ void AddToKernel(const float* from, float* into, int64_t count) {
  BATON_FOR_EACH(i, count) into[i] += from[i];
}

__global__ void AddPairKernel(const float* a, const float* b, bool clip, float* y, int64_t count) {
  BATON_FOR_EACH(i, count) {
    const float sum = a[i] + b[i];
    y[i] = clip && sum < 0 ? 0 : sum;
  }
}

__global__ void SharePairKernel(const float* clipped, const float* dy, float* da, float* db,
                                int64_t count) {
  BATON_FOR_EACH(i, count) {
    const float share = clipped != nullptr && clipped[i] <= 0 ? 0 : dy[i];
    da[i] = share;
    db[i] = share;
  }
}

__global__ void MultiplyByKernel(const float* by, float* values, int64_t count) {
  BATON_FOR_EACH(i, count) values[i] *= by[i];
}

__global__ void RoundKernel(float* values, int64_t count) {
  BATON_FOR_EACH(i, count) values[i] = RoundToBfloat16(values[i]);
}

__global__ void TakeHalvesKernel(const float* values, int64_t count, uint16_t* halves) {
  BATON_FOR_EACH(i, count) halves[i] = Bfloat16Bits(values[i]);
}

__global__ void AddRowsKernel(const float* x, const float* w, int64_t period, bool clip, float* y,
                              int64_t count) {
  BATON_FOR_EACH(i, count) {
    const float sum = x[i] + w[i % period];
    y[i] = clip && sum < 0 ? 0 : sum;
  }
}

__global__ void DropoutKernel(const uint64_t* key, float rate, float factor, const float* x,
                              float* y, int64_t count) {
  BATON_FOR_EACH(i, count) {
    y[i] = RandomUnit(*key, static_cast<uint64_t>(i)) >= rate ? x[i] * factor : 0;
  }
}

// visit(a value of the function's type), for code that is made for each function.
template <Function kFunction>
struct Constant {
  static constexpr Function value = kFunction;
};
template <class Visit>
void WithFunction(Function function, const Visit& visit) {
  switch (function) {
    case Function::kRelu:
      return visit(Constant<Function::kRelu>());
    case Function::kLeakyRelu:
      return visit(Constant<Function::kLeakyRelu>());
    case Function::kElu:
      return visit(Constant<Function::kElu>());
    case Function::kSigmoid:
      return visit(Constant<Function::kSigmoid>());
    case Function::kTanh:
      return visit(Constant<Function::kTanh>());
    case Function::kGelu:
      return visit(Constant<Function::kGelu>());
    case Function::kSilu:
      return visit(Constant<Function::kSilu>());
  }
}

}  // namespace

void RoundToBfloat16s(float* values, int64_t count, cudaStream_t stream) {
  Launch(RoundKernel, Blocks(count), kThreads, stream, values, count);
}

void TakeBfloat16s(const float* values, int64_t count, uint16_t* halves, cudaStream_t stream) {
  Launch(TakeHalvesKernel, Blocks(count), kThreads, stream, values, count, halves);
}

void Clip(float* y, int64_t count, cudaStream_t stream) {
  Launch(ClipKernel, Blocks(count), kThreads, stream, y, count);
}

void ClipGradient(const float* y, float* dy, int64_t count, cudaStream_t stream) {
  Launch(ClipGradientKernel, Blocks(count), kThreads, stream, y, dy, count);
}

void AddTo(const float* from, float* into, int64_t count, cudaStream_t stream) {
  Launch(AddToKernel, Blocks(count), kThreads, stream, from, into, count);
}

void AddPair(const float* a, const float* b, bool clip, float* y, int64_t count,
             cudaStream_t stream) {
  Launch(AddPairKernel, Blocks(count), kThreads, stream, a, b, clip, y, count);
}

void SharePair(const float* clipped, const float* dy, float* da, float* db, int64_t count,
               cudaStream_t stream) {
  Launch(SharePairKernel, Blocks(count), kThreads, stream, clipped, dy, da, db, count);
}

void MultiplyBy(const float* by, float* values, int64_t count, cudaStream_t stream) {
  Launch(MultiplyByKernel, Blocks(count), kThreads, stream, by, values, count);
}

void Activate(const ActivationOperation& shape, const float* x, float* y, int64_t count,
              cudaStream_t stream) {
  WithFunction(shape.function, [&](auto function) {
    Launch(ActivateKernel<decltype(function)::value>, Blocks(count), kThreads, stream, shape.slope,
           x, y, count);
  });
}

void ActivateGradient(const ActivationOperation& shape, const float* x, const float* dy, float* dx,
                      int64_t count, cudaStream_t stream) {
  WithFunction(shape.function, [&](auto function) {
    Launch(ActivateGradientKernel<decltype(function)::value>, Blocks(count), kThreads, stream,
           shape.slope, x, dy, dx, count);
  });
}

void AddRows(const float* x, const float* w, int64_t period, bool clip, float* y, int64_t count,
             cudaStream_t stream) {
  Launch(AddRowsKernel, Blocks(count), kThreads, stream, x, w, period, clip, y, count);
}

void Dropout(const uint64_t* key, float rate, const float* x, float* y, int64_t count,
             cudaStream_t stream) {
  const auto factor = static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)));
  Launch(DropoutKernel, Blocks(count), kThreads, stream, key, rate, factor, x, y, count);
}

}  // namespace baton::trainer::cuda::kernels
