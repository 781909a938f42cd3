#include <cuda_bf16.h>

#include <cstring>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/dnn.h"
#include "tests/fakes/cuda/stream.h"

namespace baton::fake_cuda {
namespace {

size_t SizeOf(cudnnDataType_t type) {
  if (type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_INT32) return 4;
  if (type == CUDNN_DATA_BFLOAT16) return 2;
  Violation("cuDNN: a type of values that is not simulated");
}

double Load(cudnnDataType_t type, const void* memory, size_t i) {
  if (type == CUDNN_DATA_BFLOAT16) {
    return static_cast<double>(__bfloat162float(static_cast<const __nv_bfloat16*>(memory)[i]));
  }
  return static_cast<double>(static_cast<const float*>(memory)[i]);
}

void Save(cudnnDataType_t type, double value, void* memory, size_t i) {
  if (type == CUDNN_DATA_BFLOAT16) {
    static_cast<__nv_bfloat16*>(memory)[i] = __float2bfloat16(static_cast<float>(value));
  } else {
    static_cast<float*>(memory)[i] = static_cast<float>(value);
  }
}

// visit(place in memory), the last extent fastest.
template <class Visit>
void ForEach(const std::vector<int>& extents, const std::vector<int>& steps, const Visit& visit) {
  std::vector<int> at(extents.size());
  while (true) {
    size_t place = 0;
    for (size_t d = 0; d < at.size(); ++d) place += static_cast<size_t>(at[d]) * steps[d];
    visit(place);
    size_t d = at.size();
    while (d > 0 && ++at[d - 1] == extents[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

std::vector<int> Packed(const std::vector<int>& extents) {
  std::vector<int> steps(extents.size(), 1);
  for (size_t d = extents.size(); d-- > 1;) steps[d - 1] = steps[d] * extents[d];
  return steps;
}

cudnnTensorStruct AsTensor(const cudnnFilterStruct& filter) {
  return {filter.type, filter.extents, Packed(filter.extents)};
}

}  // namespace

int64_t CountOf(const cudnnTensorStruct& tensor) {
  int64_t count = 1;
  for (const int extent : tensor.extents) count *= extent;
  return count;
}

bool Same(const cudnnTensorStruct& a, const cudnnTensorStruct& b) {
  return a.type == b.type && a.extents == b.extents;
}

void RequireTensor(const cudnnContext& handle, const cudnnTensorStruct& tensor, const void* memory,
                   const std::string& what) {
  size_t last = 0;
  for (size_t d = 0; d < tensor.extents.size(); ++d) {
    last += static_cast<size_t>(tensor.extents[d] - 1) * static_cast<size_t>(tensor.steps[d]);
  }
  if (reinterpret_cast<uintptr_t>(memory) % SizeOf(tensor.type) != 0) {
    Violation("cuDNN: " + what + " is not aligned");
  }
  RequireCard(memory, (last + 1) * SizeOf(tensor.type), handle.device, "cuDNN: " + what);
}

void RequireFilter(const cudnnContext& handle, const cudnnFilterStruct& filter, const void* memory,
                   const std::string& what) {
  RequireTensor(handle, AsTensor(filter), memory, what);
}

std::vector<double> Values(const cudnnTensorStruct& tensor, const void* memory) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(CountOf(tensor)));
  ForEach(tensor.extents, tensor.steps,
          [&](size_t place) { values.push_back(Load(tensor.type, memory, place)); });
  return values;
}
std::vector<double> Values(const cudnnFilterStruct& filter, const void* memory) {
  return Values(AsTensor(filter), memory);
}

void Store(const cudnnTensorStruct& tensor, const std::vector<double>& values, Blend blend,
           void* memory) {
  size_t i = 0;
  ForEach(tensor.extents, tensor.steps, [&](size_t place) {
    double value = blend.alpha * values[i++];
    if (blend.beta != 0) value += blend.beta * Load(tensor.type, memory, place);
    Save(tensor.type, value, memory, place);
  });
}
void Store(const cudnnFilterStruct& filter, const std::vector<double>& values, Blend blend,
           void* memory) {
  Store(AsTensor(filter), values, blend, memory);
}

Blend BlendOf(const void* alpha, const void* beta) {
  RequireHost(alpha, sizeof(float), "cuDNN: alpha");
  RequireHost(beta, sizeof(float), "cuDNN: beta");
  return {static_cast<double>(*static_cast<const float*>(alpha)),
          static_cast<double>(*static_cast<const float*>(beta))};
}

cudnnStatus_t Usable(cudnnHandle_t handle) {
  if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM;
  if (handle->device != CurrentDevice()) Violation("cuDNN: a handle of another card");
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t GiveWork(cudnnHandle_t handle, std::function<void()> run) {
  const cudaError_t given = Give(QueueOf(handle->stream), std::move(run));
  return given == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

cudnnStatus_t CheckWorkspace(const cudnnContext& handle, const void* workspace, size_t bytes,
                             size_t needed) {
  if (bytes < needed || (needed > 0 && workspace == nullptr)) return CUDNN_STATUS_BAD_PARAM;
  RequireCard(workspace, bytes, handle.device, "cuDNN: the workspace");
  return CUDNN_STATUS_SUCCESS;
}

extern "C" {
size_t cudnnGetVersion() { return CUDNN_VERSION; }
const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
      return "another error of the simulated cuDNN";
  }
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext{CurrentDevice()};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  *tensor = new cudnnTensorStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  delete tensor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type,
                                         int count, const int extents[], const int steps[]) {
  if (tensor == nullptr || count < 3 || count > CUDNN_DIM_MAX) return CUDNN_STATUS_NOT_SUPPORTED;
  for (int d = 0; d < count; ++d) {
    if (extents[d] <= 0 || steps[d] <= 0) return CUDNN_STATUS_BAD_PARAM;
  }
  *tensor = {type, {extents, extents + count}, {steps, steps + count}};
  if (CountOf(*tensor) >= int64_t{1} << 31) return CUDNN_STATUS_NOT_SUPPORTED;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  const int extents[] = {n, c, h, w};
  const int rows[] = {c * h * w, h * w, w, 1}, channels[] = {c * h * w, 1, w * c, c};
  if (format == CUDNN_TENSOR_NCHW_VECT_C) return CUDNN_STATUS_NOT_SUPPORTED;
  return cudnnSetTensorNdDescriptor(tensor, type, 4, extents,
                                    format == CUDNN_TENSOR_NCHW ? rows : channels);
}

cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void* alpha,
                             const cudnnTensorDescriptor_t a, const void* from, const void* beta,
                             const cudnnTensorDescriptor_t c, void* into) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (a->extents.size() != c->extents.size() || a->type != c->type) return CUDNN_STATUS_BAD_PARAM;
  for (size_t d = 0; d < a->extents.size(); ++d) {
    if (a->extents[d] != 1 && a->extents[d] != c->extents[d]) return CUDNN_STATUS_BAD_PARAM;
  }
  RequireTensor(*handle, *a, from, "what is added");
  RequireTensor(*handle, *c, into, "what is added to");
  cudnnTensorStruct spread = *c;  // `a` again and again, by steps of 0
  for (size_t d = 0; d < a->extents.size(); ++d) {
    spread.steps[d] = a->extents[d] == 1 ? 0 : a->steps[d];
  }
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, whole = *c] { Store(whole, Values(spread, from), blend, into); });
}
}  // extern "C"

}  // namespace baton::fake_cuda
