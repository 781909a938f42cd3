#include "trainer/backend/reference/reference_backend.h"

#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer {

namespace reference {
namespace {

class ReferenceStream : public Stream {
 public:
  std::unique_ptr<Tensor> CreateTensor(const SampleShape& shape, int64_t batch_max) override {
    auto tensor = std::make_unique<HostTensor>();
    tensor->sample_size = ElementCount(shape);
    tensor->values.resize(batch_max * tensor->sample_size);
    return tensor;
  }

  absl::StatusOr<std::unique_ptr<Operation>> CreateOperation(const OperationShape& operation,
                                                             int64_t /*batch_max*/) override {
    return std::visit([](const auto& shape) { return Make(shape); }, operation);
  }

  absl::Status Upload(const float* values, int64_t count, Tensor* tensor) override {
    HostTensor& host = Host(tensor);
    std::copy_n(values, count * host.sample_size, host.values.data());
    return absl::OkStatus();
  }

  absl::Status Download(const Tensor& tensor, int64_t count, float* values) override {
    const HostTensor& host = Host(&tensor);
    for (int64_t i = 0; i < count * host.sample_size; ++i) {
      values[i] = static_cast<float>(host.values[i]);
    }
    return absl::OkStatus();
  }

  absl::Status Accumulate(const Tensor& from, int64_t count, Tensor* into) override {
    HostTensor& sum = Host(into);
    for (int64_t i = 0; i < count * sum.sample_size; ++i) {
      sum.values[i] += Host(&from).values[i];
    }
    return absl::OkStatus();
  }

  absl::Status Clear(float* gradient, size_t count) override {
    std::fill_n(gradient, count, 0.0f);
    return absl::OkStatus();
  }

  absl::Status ComputeLoss(const LossArguments& arguments, const Tensor& output,
                           Tensor* doutput) override {
    loss_ = reference::ComputeLoss(arguments, Host(&output),
                                   doutput == nullptr ? nullptr : &Host(doutput));
    return absl::OkStatus();
  }

  absl::StatusOr<LossResult> ReadLoss() override { return loss_; }

 private:
  LossResult loss_;
};

class ReferenceBackend : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::string identity() const override { return "reference"; }
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream(Memory /*parameters*/) override {
    return std::make_unique<ReferenceStream>();
  }
};

}  // namespace
}  // namespace reference

std::unique_ptr<Backend> CreateReferenceBackend() {
  return std::make_unique<reference::ReferenceBackend>();
}

}  // namespace baton::trainer
