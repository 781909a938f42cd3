// CUDA's runtime: devices, memory and copies.
#include <cuda_runtime.h>

#include <cstring>
#include <utility>
#include <vector>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/stream.h"

namespace baton::fake_cuda {
namespace {

// Rows of a copy; a plain one has one.
struct Copy {
  void* to;
  size_t to_pitch;
  const void* from;
  size_t from_pitch;
  size_t width, height;
};

size_t Span(size_t pitch, size_t width, size_t height) {
  return width == 0 || height == 0 ? 0 : pitch * (height - 1) + width;
}

void Run(const Copy& copy) {
  for (size_t row = 0; row < copy.height; ++row) {
    std::memmove(static_cast<char*>(copy.to) + row * copy.to_pitch,
                 static_cast<const char*>(copy.from) + row * copy.from_pitch, copy.width);
  }
}

// The direction that the addresses say.
cudaMemcpyKind KindOf(const Copy& copy) {
  const bool from_card = PlaceOf(copy.from) == Place::kCard;
  const bool to_card = PlaceOf(copy.to) == Place::kCard;
  if (from_card) return to_card ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost;
  return to_card ? cudaMemcpyHostToDevice : cudaMemcpyHostToHost;
}

void Require(const Copy& copy, cudaMemcpyKind kind, int device) {
  const size_t from = Span(copy.from_pitch, copy.width, copy.height);
  const size_t to = Span(copy.to_pitch, copy.width, copy.height);
  if (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost) {
    RequireHost(copy.from, from, "what is copied");
  } else {
    RequireCard(copy.from, from, device, "what is copied");
  }
  if (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost) {
    RequireHost(copy.to, to, "where it is copied to");
  } else {
    RequireCard(copy.to, to, device, "where it is copied to");
  }
}

cudaError_t CopyAsync(Copy copy, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  if (copy.height > 1 && (copy.width > copy.to_pitch || copy.width > copy.from_pitch)) {
    return Answer(cudaErrorInvalidPitchValue);
  }
  const cudaMemcpyKind told = kind == cudaMemcpyDefault ? KindOf(copy) : kind;
  Require(copy, told, queue->device);
  const bool to_host = told == cudaMemcpyDeviceToHost;
  const void* host = to_host ? copy.to : told == cudaMemcpyHostToDevice ? copy.from : nullptr;
  const bool pageable = host != nullptr && PlaceOf(host) == Place::kPageable;
  if (pageable) {
    if (const cudaError_t failure = UnlessCaptured(queue)) return Answer(failure);
  }
  if (!pageable || (!to_host && TheSettings().late)) {
    return Answer(Give(queue, [copy] { Run(copy); }));
  }
  if (to_host) {  // of this one CUDA says that it is synchronous
    static_cast<void>(Give(queue, [copy] { Run(copy); }));
    FinishAll(queue);
    return cudaSuccess;
  }
  std::vector<char> staged(Span(copy.from_pitch, copy.width, copy.height));
  if (!staged.empty()) std::memcpy(staged.data(), copy.from, staged.size());
  return Answer(Give(queue, [copy, staged = std::move(staged)] {
    Copy from_stage = copy;
    from_stage.from = staged.data();
    Run(from_stage);
  }));
}

cudaError_t SetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  RequireCard(to, bytes, queue->device, "what is set");
  return Answer(Give(queue, [=] {
    if (bytes > 0) std::memset(to, value, bytes);
  }));
}

bool Exists(int device) { return device >= 0 && device < TheSettings().devices; }

}  // namespace
extern "C" {
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaSuccess ? "cudaSuccess" : "cudaError";
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    default:
      return "another error of the simulated card";
  }
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = TheSettings().devices;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = CurrentDevice();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (!Exists(device)) return Answer(cudaErrorInvalidDevice);
  SetCurrentDevice(device);
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (!Exists(device)) return Answer(cudaErrorInvalidDevice);
  *properties = cudaDeviceProp{};
  std::strcpy(properties->name, "Simulated card");
  properties->uuid.bytes[0] = static_cast<char>(device + 1);
  properties->totalGlobalMem = TheSettings().memory;
  properties->major = 9;
  properties->minor = 0;
  properties->multiProcessorCount = 4;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (!Exists(device)) return Answer(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      return cudaSuccess;
    case cudaDevAttrPageableMemoryAccess:
      *value = TheSettings().late ? 1 : 0;
      return cudaSuccess;
    default:
      Violation("cudaDeviceGetAttribute of an attribute that is not simulated");
  }
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  *memory = Allocate(CurrentDevice(), bytes);
  return *memory == nullptr ? Answer(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  const int device = DeviceOf(memory);
  if (device < 0) Violation("cudaFree of what cudaMalloc did not give, or twice");
  FinishDevice(device);
  Release(memory);
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) {
  *memory = bytes == 0 ? nullptr : Allocate(CurrentDevice(), bytes);
  return bytes > 0 && *memory == nullptr ? Answer(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  if (memory == nullptr) return cudaSuccess;
  return Answer(Give(QueueOf(stream), [memory] {
    if (!Release(memory)) Violation("cudaFreeAsync of what is not allocated");
  }));
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  *memory = AllocatePinned(bytes);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return cudaHostAlloc(memory, bytes, 0); }
cudaError_t cudaFreeHost(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  for (int device = 0; device < TheSettings().devices; ++device) FinishDevice(device);
  if (!ReleasePinned(memory))
    Violation("cudaFreeHost of what cudaHostAlloc did not give, or twice");
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  FreeMemory(CurrentDevice(), free, total);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return CopyAsync({to, bytes, from, bytes, bytes, 1}, kind, stream);
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  const cudaError_t result = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  if (kind != cudaMemcpyDeviceToDevice) FinishAll(QueueOf(nullptr));
  return result;
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  return CopyAsync({to, to_pitch, from, from_pitch, width, height}, kind, stream);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                size_t bytes, cudaStream_t stream) {
  RequireCard(from, bytes, from_device, "what is copied");
  RequireCard(to, bytes, to_device, "where it is copied to");
  return Answer(Give(QueueOf(stream), [=] { std::memmove(to, from, bytes); }));
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return SetAsync(to, value, bytes, stream);
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return SetAsync(to, value, bytes, nullptr);
}
}  // extern "C"

}  // namespace baton::fake_cuda
