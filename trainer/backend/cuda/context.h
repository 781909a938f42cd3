// What all operations of one stream share, and the border to CUDA's libraries.
//
// Calls on a card are checked by noting the first failure: an operation makes its calls one after
// the other, and End() turns what was noted into a status. Nobody reads results before that.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/cuda/staging.h"
#include "trainer/backend/plugin.h"

namespace baton::trainer::cuda {

class Context;

// Memory on the card that only grows.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // At least `bytes`; what was there is lost when it grows. Null, and noted, when there is no room.
  void* Reserve(Context& context, size_t bytes);
  float* ReserveFloats(Context& context, int64_t count);
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class Context {
 public:
  // FAILED_PRECONDITION when the card or a library does not start. `parameters`: where operations
  // find weights and leave gradients.
  static absl::StatusOr<std::unique_ptr<Context>> Create(const BackendOptions& options,
                                                         Memory parameters = Memory::kHost);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Before the calls of an operation: the current card belongs to the calling thread.
  void Begin();
  // After them: the first failure since, as the words of `operation`. The calls need not be
  // finished.
  absl::Status End(const char* operation);

  void Check(cudaError_t result);
  void Check(cudnnStatus_t result);
  void Check(cublasStatus_t result);
  void NoteNoMemory(size_t bytes);
  // Whether nothing failed since Begin: asked where a call would follow a null pointer.
  bool ok() const { return failure_.ok(); }

  bool fast() const { return fast_; }
  Memory parameters() const { return parameters_; }
  cudaStream_t stream() const { return stream_; }
  // An event of the stream's own, to be recorded again and again.
  cudaEvent_t done() const { return done_; }
  cudnnHandle_t dnn() const { return dnn_; }
  cublasHandle_t blas() const { return blas_; }
  // How often a buffer was given another place so far: what holds addresses of an earlier time is
  // of no more use.
  uint64_t moves() const { return moves_; }
  void NoteMove() { ++moves_; }
  // For the call that comes next; all calls of a stream run one after the other.
  void* Workspace(size_t bytes) { return workspace_.Reserve(*this, bytes); }

  // Two places for the factors of the product that comes next.
  uint16_t* Halves(size_t which, int64_t count) {
    return static_cast<uint16_t*>(
        halves_[which].Reserve(*this, static_cast<size_t>(count) * sizeof(uint16_t)));
  }

  // Between host memory and the card, in the order of the stream. `from` may be overwritten after
  // the upload; the download waits until `to` is whole.
  void Upload(const void* from, size_t bytes, void* to);
  void Download(const void* from, size_t bytes, void* to);
  void Copy(const float* from, int64_t count, float* to);
  void Zero(float* values, int64_t count);
  // Until all that the stream has to do is done.
  void Wait();

 private:
  Context(const BackendOptions& options, Memory parameters)
      : card_(options.card), fast_(options.fast), parameters_(parameters) {}
  absl::Status Start();

  int card_;
  bool fast_;
  Memory parameters_;
  uint64_t moves_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;
  cudnnHandle_t dnn_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  Buffer blas_workspace_, workspace_, halves_[2];
  Staging staging_;
  absl::Status failure_;
};

// A descriptor of cuDNN's.
template <class Handle, cudnnStatus_t (*kCreate)(Handle*), cudnnStatus_t (*kDestroy)(Handle)>
class Descriptor {
 public:
  explicit Descriptor(Context& context) { context.Check(kCreate(&handle_)); }
  ~Descriptor() {
    if (handle_ != nullptr) kDestroy(handle_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

using TensorDescriptor =
    Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;

// Row-major float32 (count, C, H, W).
void DescribeImages(Context& context, const TensorDescriptor& descriptor, int64_t count,
                    int64_t channels, int64_t height, int64_t width);

inline constexpr float kOne = 1, kZero = 0;

// Unless fast: no TF32, and no other than float32's own products and sums.
inline cublasMath_t Float32Math(bool fast) {
  return fast ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH;
}

}  // namespace baton::trainer::cuda
