// The simulated card keeps CUDA's rules, those above all that a mistake would break.
#include <cublas_v2.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/fakes/cuda/kernel_words.h"

namespace baton::fake_cuda {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

template <class... Parameters, class... Arguments>
void Launch(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, cudaStream_t stream,
            Arguments&&... arguments) {
  cudaLaunchConfig_t shape{};
  shape.gridDim = blocks;
  shape.blockDim = threads;
  shape.stream = stream;
  ASSERT_EQ(cudaLaunchKernelEx(&shape, kernel, std::forward<Arguments>(arguments)...), cudaSuccess);
}

class FakeCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    void* memory = nullptr;
    ASSERT_EQ(cudaMalloc(&memory, kCount * sizeof(float)), cudaSuccess);
    card_ = static_cast<float*>(memory);
  }
  void TearDown() override {
    cudaFree(card_);
    cudaStreamDestroy(stream_);
    cudaGetLastError();
  }
  std::vector<float> Download() {
    std::vector<float> values(kCount);
    cudaMemcpyAsync(values.data(), card_, kCount * sizeof(float), cudaMemcpyDeviceToHost, stream_);
    return values;
  }

  static constexpr size_t kCount = 64;
  cudaStream_t stream_ = nullptr;
  float* card_ = nullptr;
};

__global__ void FillKernel(float value, float* to) {
  to[blockIdx.x * blockDim.x + threadIdx.x] = value;
}
__global__ void AddKernel(float value, float* to) {
  to[blockIdx.x * blockDim.x + threadIdx.x] += value;
}

__global__ void SumKernel(float* values) {
  __shared__ float sums[64];
  sums[threadIdx.x] = values[threadIdx.x];
  for (unsigned half = 32; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  values[threadIdx.x] = sums[0];
}

__global__ void ShuffleKernel(float* values) {
  float sum = values[threadIdx.x];
  for (unsigned delta = 16; delta > 0; delta /= 2) {
    sum += __shfl_down_sync(0xFFFFFFFFu, sum, delta);
  }
  values[threadIdx.x] = sum;
}

__global__ void CountKernel(float* to) { atomicAdd(to, 1.0f); }

__global__ void BeyondKernel(float* to) { to[threadIdx.x] = 1; }

TEST_F(FakeCudaTest, NothingIsDoneBeforeItIsWaitedFor) {
  void* memory = nullptr;
  ASSERT_EQ(cudaHostAlloc(&memory, kCount * sizeof(float), 0), cudaSuccess);
  auto* pinned = static_cast<float*>(memory);
  pinned[5] = -1;
  Launch(FillKernel, 2, 32, stream_, 3.0f, card_);
  cudaMemcpyAsync(pinned, card_, kCount * sizeof(float), cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(pinned[5], -1);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(pinned[5], 3);
  cudaFreeHost(pinned);
}

TEST_F(FakeCudaTest, ThreadsOfABlockWaitForEachOther) {
  std::vector<float> values(kCount);
  for (size_t i = 0; i < kCount; ++i) values[i] = static_cast<float>(i);
  cudaMemcpyAsync(card_, values.data(), kCount * sizeof(float), cudaMemcpyHostToDevice, stream_);
  Launch(SumKernel, 1, 64, stream_, card_);
  EXPECT_THAT(Download(), Each(2016));
}

TEST_F(FakeCudaTest, LanesExchangeValuesAndAtomicsCount) {
  Launch(FillKernel, 2, 32, stream_, 1.0f, card_);
  Launch(ShuffleKernel, 1, 64, stream_, card_);
  const std::vector<float> sums = Download();
  EXPECT_EQ(sums[0], 32);
  EXPECT_EQ(sums[32], 32);
  Launch(CountKernel, 5, 7, stream_, card_);
  EXPECT_EQ(Download()[0], 67);
}

TEST_F(FakeCudaTest, AStreamWaitsForTheEventOfAnother) {
  cudaStream_t other = nullptr;
  cudaEvent_t event = nullptr;
  cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  Launch(FillKernel, 2, 32, other, 2.0f, card_);
  cudaEventRecord(event, other);
  EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
  Launch(FillKernel, 2, 32, other, 4.0f, card_);
  cudaEventRecord(event, other);
  cudaStreamWaitEvent(stream_, event, 0);
  Launch(AddKernel, 2, 32, stream_, 1.0f, card_);
  EXPECT_THAT(Download(), Each(5));
  cudaEventDestroy(event);
  cudaStreamDestroy(other);
}

TEST_F(FakeCudaTest, AGraphRunsWhatWasCaptured) {
  Launch(FillKernel, 2, 32, stream_, 0.0f, card_);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  Launch(AddKernel, 2, 32, stream_, 1.0f, card_);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  cudaGraphDestroy(graph);
  for (int i = 0; i < 3; ++i) cudaGraphLaunch(exec, stream_);
  EXPECT_THAT(Download(), Each(3));
  cudaGraphExecDestroy(exec);
}

TEST_F(FakeCudaTest, ACaptureRefusesWhatCudaForbidsInIt) {
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 8), cudaErrorStreamCaptureUnsupported);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  cudaStream_t other = nullptr;
  cudaEvent_t event = nullptr;
  cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaEventRecord(event, stream_);
  cudaStreamWaitEvent(other, event, 0);
  Launch(FillKernel, 2, 32, other, 1.0f, card_);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureUnjoined);
  cudaEventDestroy(event);
  cudaStreamDestroy(other);
}

TEST_F(FakeCudaTest, ProductsLieByColumns) {
  // (1 2; 3 4) by columns, times (5; 6).
  const std::array<float, 6> values = {1, 3, 2, 4, 5, 6};
  cudaMemcpyAsync(card_, values.data(), sizeof(values), cudaMemcpyHostToDevice, stream_);
  cublasHandle_t handle = nullptr;
  cublasCreate(&handle);
  cublasSetStream(handle, stream_);
  const float one = 1, zero = 0;
  EXPECT_EQ(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 1, 2, &one, card_, 2, card_ + 4, 2,
                        &zero, card_ + 6, 2),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasSgemm(handle, CUBLAS_OP_T, CUBLAS_OP_N, 2, 1, 2, &one, card_, 1, card_ + 4, 2,
                        &zero, card_ + 8, 2),
            CUBLAS_STATUS_INVALID_VALUE);
  const std::vector<float> got = Download();
  EXPECT_EQ(got[6], 17);
  EXPECT_EQ(got[7], 39);
  cublasDestroy(handle);
}

TEST_F(FakeCudaTest, FreshMemoryIsNanAndThereIsOnlySoMuch) {
  for (const float value : Download()) EXPECT_NE(value, value);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, size_t{1} << 40), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

using FakeCudaDeathTest = FakeCudaTest;

TEST_F(FakeCudaDeathTest, WhatCudaLeavesUndefinedEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(cudaMemcpyAsync(card_ + 60, card_, 20, cudaMemcpyDeviceToDevice, stream_),
               "has 20 bytes, but only 16 are left");
  float host = 0;
  EXPECT_DEATH(Launch(FillKernel, 1, 1, stream_, 1.0f, &host), "argument 2 of a kernel");
  EXPECT_DEATH(cudaFree(card_ + 1), "cudaFree of what cudaMalloc did not give");
#ifndef __SANITIZE_ADDRESS__
  EXPECT_DEATH(host = *card_, "card memory touched by code of the host");
#endif
  EXPECT_DEATH(
      {
        Launch(BeyondKernel, 1, 65, stream_, card_);
        cudaStreamSynchronize(stream_);
      },
      "wrote 0 bytes behind|AddressSanitizer");
}

}  // namespace
}  // namespace baton::fake_cuda
