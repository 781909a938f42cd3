#include "trainer/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/backend/cuda/context.h"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"
#include "trainer/backend/cuda/recorder.h"
#include "trainer/backend/cuda/tensor.h"
#include "trainer/backend/cuda/vectors.h"

namespace baton::trainer {

namespace cuda {
namespace {

class CudaStream : public Stream {
 public:
  explicit CudaStream(std::unique_ptr<Context> context)
      : context_(std::move(context)), recorder_(*context_) {}

  std::unique_ptr<Tensor> CreateTensor(const SampleShape& shape, int64_t batch_max) override {
    const PlacedShape placed{shape};
    return std::move(CreateTensors({&placed, 1}, batch_max)[0]);
  }

  // Without room the context says so at the next call that has a status.
  std::vector<std::unique_ptr<Tensor>> CreateTensors(absl::Span<const PlacedShape> shapes,
                                                     int64_t batch_max) override {
    context_->Begin();
    std::map<size_t, int64_t> largest;
    for (const PlacedShape& placed : shapes) {
      int64_t& size = largest[placed.place];
      size = std::max(size, ElementCount(placed.shape));
    }
    std::map<size_t, std::shared_ptr<Buffer>> places;
    for (const auto& [place, size] : largest) {
      places[place] = std::make_shared<Buffer>();
      places[place]->ReserveFloats(*context_, batch_max * size);
    }
    std::vector<std::unique_ptr<Tensor>> tensors;
    for (const PlacedShape& placed : shapes) {
      tensors.push_back(std::make_unique<CudaTensor>(placed.shape, places[placed.place]));
    }
    return tensors;
  }

  absl::StatusOr<std::unique_ptr<Operation>> CreateOperation(const OperationShape& operation,
                                                             int64_t /*batch_max*/) override {
    context_->Begin();
    std::unique_ptr<Operation> made =
        std::visit([&](const auto& shape) { return Make(shape, *context_); }, operation);
    BATON_RETURN_IF_ERROR(context_->End("set-up"));
    return made;
  }

  absl::Status Upload(const float* values, int64_t count, Tensor* tensor) override {
    context_->Begin();
    context_->Upload(values, Bytes(Card(tensor), count), Values(tensor));
    return context_->End("upload");
  }

  absl::Status Download(const Tensor& tensor, int64_t count, float* values) override {
    context_->Begin();
    context_->Download(Values(&tensor), Bytes(Card(&tensor), count), values);
    return context_->End("download");
  }

  absl::Status Accumulate(const Tensor& from, int64_t count, Tensor* into) override {
    context_->Begin();
    kernels::AddTo(Values(&from), Values(into), count * Card(into).sample_size(),
                   context_->stream());
    return context_->End("sum");
  }

  absl::Status Run(const RecordedPass& pass, absl::FunctionRef<absl::Status()> work) override {
    return recorder_.Run(pass, work);
  }

  absl::Status Clear(float* gradient, size_t count) override {
    if (context_->parameters() == Memory::kHost) {
      std::fill_n(gradient, count, 0.0f);
      return absl::OkStatus();
    }
    context_->Begin();
    context_->Zero(gradient, static_cast<int64_t>(count));
    return context_->End("clearing a gradient");
  }

  absl::Status PrepareLoss(const LossArguments& arguments, const Tensor& output) override {
    context_->Begin();
    loss_.Prepare(*context_, arguments, Card(&output));
    return context_->End("labels");
  }

  absl::Status ComputeLoss(const LossArguments& arguments, const Tensor& output,
                           Tensor* doutput) override {
    context_->Begin();
    loss_.Compute(*context_, arguments, Card(&output),
                  doutput == nullptr ? nullptr : &Card(doutput));
    return context_->End("loss");
  }

  absl::Status Precede(DeviceVectors& vectors) override {
    context_->Begin();
    context_->Check(cudaEventRecord(context_->done(), context_->stream()));
    context_->Check(WaitFor(vectors, context_->done()));
    return context_->End("an event");
  }

  absl::StatusOr<LossResult> ReadLoss() override {
    context_->Begin();
    const LossResult result = loss_.Read(*context_);
    BATON_RETURN_IF_ERROR(context_->End("a pass"));
    return result;
  }

 private:
  static size_t Bytes(const CudaTensor& tensor, int64_t count) {
    return static_cast<size_t>(count * tensor.sample_size()) * sizeof(float);
  }

  const std::unique_ptr<Context> context_;
  LossFunction loss_;
  Recorder recorder_;
};

class CudaBackend : public Backend {
 public:
  CudaBackend(const BackendOptions& options, std::string identity, int64_t card_bytes)
      : options_(options), identity_(std::move(identity)), card_bytes_(card_bytes) {}

  std::string name() const override { return "cuda"; }
  std::string identity() const override { return identity_; }
  int64_t card_bytes() const override { return card_bytes_; }
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream(Memory parameters) override {
    BATON_ASSIGN_OR_RETURN(std::unique_ptr<Context> context, Context::Create(options_, parameters));
    return std::make_unique<CudaStream>(std::move(context));
  }
  absl::StatusOr<std::unique_ptr<DeviceVectors>> CreateVectors() override {
    return cuda::CreateVectors(options_);
  }

 private:
  BackendOptions options_;
  std::string identity_;
  int64_t card_bytes_;
};

// "cuda 13000 cudnn 91900 cublas 130100 card NVIDIA X 9.0 sms 132". Cards of one name may differ in
// the number of their multiprocessors, by which cuBLAS and cuDNN cut their sums.
absl::StatusOr<std::string> Identity(const BackendOptions& options) {
  cudaDeviceProp card_properties{};
  int runtime = 0, blas_major = 0, blas_minor = 0, blas_patch = 0;
  const cudaError_t result = cudaGetDeviceProperties(&card_properties, options.card);
  if (result != cudaSuccess) {
    return absl::FailedPreconditionError(
        absl::StrCat("card ", options.card, " cannot be used: ", cudaGetErrorString(result),
                     "; nvidia-smi shows driver and cards"));
  }
  cudaRuntimeGetVersion(&runtime);
  cublasGetProperty(MAJOR_VERSION, &blas_major);
  cublasGetProperty(MINOR_VERSION, &blas_minor);
  cublasGetProperty(PATCH_LEVEL, &blas_patch);
  return absl::StrCat("cuda ", runtime, " cudnn ", cudnnGetVersion(), " cublas ", blas_major, ".",
                      blas_minor, ".", blas_patch, " card ", card_properties.name, " ",
                      card_properties.major, ".", card_properties.minor, " sms ",
                      card_properties.multiProcessorCount, options.fast ? " fast" : "");
}

}  // namespace
}  // namespace cuda

absl::StatusOr<std::unique_ptr<Backend>> CreateCudaBackend(const BackendOptions& options) {
  // For the cuBLAS inside cuDNN's recurrent layers, to which no workspace can be given: with its
  // default one the bits would differ from run to run. The user's own setting stands.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  BATON_ASSIGN_OR_RETURN(std::string identity, cuda::Identity(options));
  size_t free = 0, total = 0;  // before anything of ours lies there
  if (cudaSetDevice(options.card) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) {
    cudaGetLastError();  // what is wrong shows next
  }
  // Whether the libraries start at all shows here, before data is read.
  BATON_RETURN_IF_ERROR(cuda::Context::Create(options).status());
  return std::make_unique<cuda::CudaBackend>(options, std::move(identity),
                                             static_cast<int64_t>(free));
}

}  // namespace baton::trainer
