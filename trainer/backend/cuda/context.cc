#include "trainer/backend/cuda/context.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer::cuda {
namespace {

// As cuBLAS recommends for the newest cards. Its own would be shared between streams, and then the
// order of the sums would depend on what else runs.
constexpr size_t kBlasWorkspace = size_t{32} << 20;

}  // namespace

Buffer::~Buffer() { cudaFree(data_); }

void* Buffer::Reserve(Context& context, size_t bytes) {
  if (bytes <= bytes_) return data_;
  context.NoteMove();
  // cudaFree waits for the work that may still use it.
  cudaFree(data_);
  data_ = nullptr;
  bytes_ = 0;
  if (cudaMalloc(&data_, bytes) != cudaSuccess) {
    cudaGetLastError();  // taken note of
    data_ = nullptr;
    context.NoteNoMemory(bytes);
    return nullptr;
  }
  bytes_ = bytes;
  return data_;
}

float* Buffer::ReserveFloats(Context& context, int64_t count) {
  return static_cast<float*>(Reserve(context, static_cast<size_t>(count) * sizeof(float)));
}

absl::StatusOr<std::unique_ptr<Context>> Context::Create(const BackendOptions& options,
                                                         Memory parameters) {
  auto context = std::unique_ptr<Context>(new Context(options, parameters));
  BATON_RETURN_IF_ERROR(context->Start());
  return context;
}

absl::Status Context::Start() {
  Begin();
  Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  if (ok()) Check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming));
  if (ok()) Check(cudnnCreate(&dnn_));
  if (ok()) Check(cudnnSetStream(dnn_, stream_));
  if (ok()) Check(cublasCreate(&blas_));
  // In this order: a new stream takes the workspace away.
  if (ok()) Check(cublasSetStream(blas_, stream_));
  if (void* memory = blas_workspace_.Reserve(*this, kBlasWorkspace); ok()) {
    Check(cublasSetWorkspace(blas_, memory, kBlasWorkspace));
  }
  // float32 throughout: no TF32, and sums that only one block adds to.
  if (ok()) Check(cublasSetMathMode(blas_, Float32Math(fast_)));
  if (ok() && !fast_) Check(cublasSetAtomicsMode(blas_, CUBLAS_ATOMICS_NOT_ALLOWED));
  return End("set-up");
}

Context::~Context() {
  cudaSetDevice(card_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (dnn_ != nullptr) cudnnDestroy(dnn_);
  if (done_ != nullptr) cudaEventDestroy(done_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void Context::Begin() { Check(cudaSetDevice(card_)); }

absl::Status Context::End(const char* operation) {
  Check(cudaGetLastError());  // of the kernels' launches
  if (failure_.ok()) return absl::OkStatus();
  const absl::Status failure(failure_.code(),
                             absl::StrCat("CUDA failed in ", operation, ": ", failure_.message()));
  failure_ = absl::OkStatus();
  return failure;
}

void Context::Check(cudaError_t result) {
  if (result == cudaSuccess || !failure_.ok()) return;
  failure_ = absl::InternalError(cudaGetErrorString(result));
}

void Context::Check(cudnnStatus_t result) {
  if (result == CUDNN_STATUS_SUCCESS || !failure_.ok()) return;
  failure_ = absl::InternalError(absl::StrCat("cuDNN: ", cudnnGetErrorString(result)));
}

void Context::Check(cublasStatus_t result) {
  if (result == CUBLAS_STATUS_SUCCESS || !failure_.ok()) return;
  failure_ = absl::InternalError(absl::StrCat("cuBLAS: ", cublasGetStatusString(result)));
}

void Context::NoteNoMemory(size_t bytes) {
  if (!failure_.ok()) return;
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  failure_ = absl::ResourceExhaustedError(
      absl::StrCat("the card has no room for ", (bytes >> 20) + 1, " MiB more (", free >> 20,
                   " of its ", total >> 20, " MiB are free); use a smaller batch"));
}

void Context::Upload(const void* from, size_t bytes, void* to) {
  if (ok()) Check(staging_.Upload(from, bytes, to, stream_));
}

void Context::Download(const void* from, size_t bytes, void* to) {
  if (ok()) Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
  Wait();
}

void Context::Wait() {
  if (ok()) Check(cudaStreamSynchronize(stream_));
}

void Context::Copy(const float* from, int64_t count, float* to) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  if (ok()) Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_));
}

void Context::Zero(float* values, int64_t count) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  if (ok()) Check(cudaMemsetAsync(values, 0, bytes, stream_));
}

void DescribeImages(Context& context, const TensorDescriptor& descriptor, int64_t count,
                    int64_t channels, int64_t height, int64_t width) {
  context.Check(cudnnSetTensor4dDescriptor(descriptor.get(), CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT,
                                           static_cast<int>(count), static_cast<int>(channels),
                                           static_cast<int>(height), static_cast<int>(width)));
}

}  // namespace baton::trainer::cuda
