#include "trainer/backend/cpu/cpu_backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/backend/cpu/context.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer {

namespace cpu {
namespace {

// Frees what the operation before took.
class WithScratch : public Operation {
 public:
  WithScratch(std::unique_ptr<Operation> operation, Scratch& scratch)
      : operation_(std::move(operation)), scratch_(scratch) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    scratch_.Release();
    return operation_->Forward(arguments);
  }
  absl::Status Backward(const BackwardArguments& arguments) override {
    scratch_.Release();
    return operation_->Backward(arguments);
  }

 private:
  const std::unique_ptr<Operation> operation_;
  Scratch& scratch_;
};

class CpuStream : public Stream {
 public:
  std::unique_ptr<Tensor> CreateTensor(const SampleShape& shape, int64_t /*batch_max*/) override {
    // Memory comes with the first write: only then is the layout known.
    return std::make_unique<CpuTensor>(shape, std::make_shared<Buffer>());
  }

  std::vector<std::unique_ptr<Tensor>> CreateTensors(absl::Span<const PlacedShape> shapes,
                                                     int64_t /*batch_max*/) override {
    std::map<size_t, std::shared_ptr<Buffer>> places;
    std::vector<std::unique_ptr<Tensor>> tensors;
    for (const PlacedShape& placed : shapes) {
      std::shared_ptr<Buffer>& place = places[placed.place];
      if (place == nullptr) place = std::make_shared<Buffer>();
      tensors.push_back(std::make_unique<CpuTensor>(placed.shape, place));
    }
    return tensors;
  }

  absl::StatusOr<std::unique_ptr<Operation>> CreateOperation(const OperationShape& operation,
                                                             int64_t /*batch_max*/) override {
    return std::make_unique<WithScratch>(
        std::visit([&](const auto& shape) { return Make(shape, context_); }, operation),
        context_.scratch);
  }

  absl::Status Upload(const float* values, int64_t count, Tensor* tensor) override {
    return Guarded("upload", [&] {
      CpuTensor& cpu = Cpu(tensor);
      const dnnl::memory& memory = cpu.Write(cpu.PlainDesc(count), context_.engine);
      std::memcpy(memory.get_data_handle(), values, memory.get_desc().get_size());
    });
  }

  absl::Status Download(const Tensor& tensor, int64_t count, float* values) override {
    return Guarded("download", [&] {
      context_.scratch.Release();
      const CpuTensor& cpu = Cpu(&tensor);
      const dnnl::memory::desc plain = cpu.PlainDesc(count);
      const dnnl::memory from = download_.Bring(context_, cpu.memory(), plain);
      std::memcpy(values, from.get_data_handle(), plain.get_size());
    });
  }

  absl::Status Accumulate(const Tensor& from, int64_t /*count*/, Tensor* into) override {
    return Guarded("sum", [&] {
      context_.scratch.Release();
      const dnnl::memory& sum = Cpu(into).memory();
      const dnnl::memory other = sum_.Bring(context_, Cpu(&from).memory(), sum.get_desc());
      auto* to = static_cast<float*>(sum.get_data_handle());
      const auto* values = static_cast<const float*>(other.get_data_handle());
      const size_t floats = sum.get_desc().get_size() / sizeof(float);
      for (size_t i = 0; i < floats; ++i) to[i] += values[i];
    });
  }

  absl::Status Clear(float* gradient, size_t count) override {
    std::fill_n(gradient, count, 0.0f);
    return absl::OkStatus();
  }

  absl::Status ComputeLoss(const LossArguments& arguments, const Tensor& output,
                           Tensor* doutput) override {
    return Guarded("loss", [&] {
      context_.scratch.Release();
      const CpuTensor& x = Cpu(&output);
      const dnnl::memory::desc plain = x.PlainDesc(arguments.count);
      const dnnl::memory from = output_.Bring(context_, x.memory(), plain);
      float* gradient = nullptr;
      if (doutput != nullptr) {
        const dnnl::memory& to = Cpu(doutput).Write(plain, context_.engine);
        gradient = static_cast<float*>(to.get_data_handle());
      }
      loss_ = cpu::ComputeLoss(arguments, static_cast<const float*>(from.get_data_handle()),
                               ElementCount(x.shape()), gradient);
    });
  }

  absl::StatusOr<LossResult> ReadLoss() override { return loss_; }

 private:
  LossResult loss_;
  Context context_;
  Staging download_, output_, sum_;
};

// "cpu onednn 2.6.3 isa 0xe7 caches 32768/1048576". The isa is dnnl::cpu_isa as in use, after
// DNNL_MAX_CPU_ISA. The sizes of a core's own caches are here since oneDNN cuts its loops to them,
// and where a sum is cut decides how it is rounded; the shared cache's size, which virtual machines
// of one type report differently, is not.
std::string Identity() {
  const dnnl_version_t* version = dnnl_version();
  return absl::StrCat("cpu onednn ", version->major, ".", version->minor, ".", version->patch,
                      " isa 0x", absl::Hex(static_cast<int>(dnnl::get_effective_cpu_isa())),
                      " caches ", sysconf(_SC_LEVEL1_DCACHE_SIZE), "/",
                      sysconf(_SC_LEVEL2_CACHE_SIZE));
}

class CpuBackend : public Backend {
 public:
  std::string name() const override { return "cpu"; }
  std::string identity() const override { return Identity(); }
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream(Memory /*parameters*/) override {
    std::unique_ptr<Stream> stream;
    BATON_RETURN_IF_ERROR(Guarded("set-up", [&] { stream = std::make_unique<CpuStream>(); }));
    return stream;
  }
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> CreateCpuBackend() { return std::make_unique<cpu::CpuBackend>(); }

}  // namespace baton::trainer
