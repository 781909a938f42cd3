// cuDNN's descriptors and handle, and tensors as plain arrays.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

struct cudnnContext {
  int device = 0;
  cudaStream_t stream = nullptr;
};

struct cudnnTensorStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::vector<int> extents, steps;  // empty: not set
};

struct cudnnFilterStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::vector<int> extents;  // outputs, inputs of a group, height, width
};

namespace baton::fake_cuda {

int64_t CountOf(const cudnnTensorStruct& tensor);
bool Same(const cudnnTensorStruct& a, const cudnnTensorStruct& b);
// The memory that the tensor covers, which must be the card's.
void RequireTensor(const cudnnContext& handle, const cudnnTensorStruct& tensor, const void* memory,
                   const std::string& what);
void RequireFilter(const cudnnContext& handle, const cudnnFilterStruct& filter, const void* memory,
                   const std::string& what);

// All values, the last extent fastest, whatever the steps; and back. With factors:
// stored = alpha * values + beta * stored; what is stored is not read when beta is 0.
std::vector<double> Values(const cudnnTensorStruct& tensor, const void* memory);
std::vector<double> Values(const cudnnFilterStruct& filter, const void* memory);
struct Blend {
  double alpha, beta;
};
void Store(const cudnnTensorStruct& tensor, const std::vector<double>& values, Blend blend,
           void* memory);
void Store(const cudnnFilterStruct& filter, const std::vector<double>& values, Blend blend,
           void* memory);

// Factors lie in host memory and are read at the call.
Blend BlendOf(const void* alpha, const void* beta);
// Adds the work to the handle's stream.
cudnnStatus_t GiveWork(cudnnHandle_t handle, std::function<void()> run);
// Whether the handle can be used now.
cudnnStatus_t Usable(cudnnHandle_t handle);
// A workspace of so many bytes, which is spoilt when the work runs.
cudnnStatus_t CheckWorkspace(const cudnnContext& handle, const void* workspace, size_t bytes,
                             size_t needed);

}  // namespace baton::fake_cuda
