#include "trainer/backend/reference/reference_backend.h"

#include <algorithm>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer {

namespace reference {
namespace {

struct Make {
  std::unique_ptr<Operation> operator()(const ConvOperation& shape) { return MakeConv(shape); }
  std::unique_ptr<Operation> operator()(const MaxPoolOperation& shape) {
    return MakeMaxPool(shape);
  }
  std::unique_ptr<Operation> operator()(const ReluOperation& shape) { return MakeRelu(shape); }
  std::unique_ptr<Operation> operator()(const DenseOperation& shape) { return MakeDense(shape); }
  std::unique_ptr<Operation> operator()(const DropoutOperation& shape) {
    return MakeDropout(shape);
  }
};

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
    return std::visit(Make{}, operation);
  }

  absl::Status Upload(const float* values, int64_t count, Tensor* tensor) override {
    HostTensor& host = Host(tensor);
    std::copy_n(values, count * host.sample_size, host.values.data());
    return absl::OkStatus();
  }

  absl::Status Download(const Tensor& tensor, int64_t count, float* values) override {
    const HostTensor& host = Host(&tensor);
    std::copy_n(host.values.data(), count * host.sample_size, values);
    return absl::OkStatus();
  }

  absl::StatusOr<LossResult> SoftmaxCrossEntropy(const Tensor& logits, const int32_t* labels,
                                                 int64_t count, float scale,
                                                 Tensor* dlogits) override {
    return reference::SoftmaxCrossEntropy(Host(&logits), labels, count, scale,
                                          dlogits == nullptr ? nullptr : &Host(dlogits));
  }
};

class ReferenceBackend : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::string identity() const override { return "reference"; }
  absl::StatusOr<std::unique_ptr<Stream>> CreateStream() override {
    return std::make_unique<ReferenceStream>();
  }
};

}  // namespace
}  // namespace reference

std::unique_ptr<Backend> CreateReferenceBackend() {
  return std::make_unique<reference::ReferenceBackend>();
}

}  // namespace baton::trainer
