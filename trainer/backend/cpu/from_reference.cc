#include "trainer/backend/cpu/from_reference.h"

#include <utility>
#include <vector>

#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::cpu {

namespace {

using reference::HostTensor;

class FromReference : public Operation {
 public:
  FromReference(std::unique_ptr<Operation> operation, const OperationShape& shape,
                int64_t batch_max, Context& context)
      : operation_(std::move(operation)), values_(context) {
    for (const SampleShape& in : InputShapes(shape)) {
      x_.push_back(MakeHost(in, batch_max));
      dx_.push_back(MakeHost(in, batch_max));
    }
    y_ = MakeHost(OutputShape(shape), batch_max);
    dy_ = MakeHost(OutputShape(shape), batch_max);
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    std::vector<const Tensor*> x;
    for (size_t i = 0; i < x_.size(); ++i) {
      Read(i, arguments.x[i], arguments.count, x_[i].get());
      x.push_back(x_[i].get());
    }
    ForwardArguments host = arguments;
    host.x = x;
    host.y = y_.get();
    const absl::Status status = operation_->Forward(host);
    if (status.ok()) Write(*y_, arguments.count, arguments.y);
    return status;
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    Read(x_.size(), arguments.dy, arguments.count, dy_.get());
    std::vector<const Tensor*> x;
    std::vector<Tensor*> dx;
    for (size_t i = 0; i < x_.size(); ++i) {
      x.push_back(x_[i].get());
      dx.push_back(arguments.dx[i] == nullptr ? nullptr : dx_[i].get());
    }
    BackwardArguments host = arguments;
    host.x = x;
    host.y = y_.get();
    host.dy = dy_.get();
    host.dx = dx;
    const absl::Status status = operation_->Backward(host);
    for (size_t i = 0; i < dx.size() && status.ok(); ++i) {
      if (dx[i] != nullptr) Write(*dx_[i], arguments.count, arguments.dx[i]);
    }
    return status;
  }

 private:
  static std::unique_ptr<HostTensor> MakeHost(const SampleShape& shape, int64_t batch_max) {
    auto tensor = std::make_unique<HostTensor>();
    tensor->sample_size = ElementCount(shape);
    tensor->values.resize(batch_max * tensor->sample_size);
    return tensor;
  }
  void Read(size_t slot, const Tensor* from, int64_t count, HostTensor* to) {
    const float* values = values_.Read(slot, from, count);
    for (int64_t i = 0; i < count * to->sample_size; ++i) to->values[i] = values[i];
  }
  void Write(const HostTensor& from, int64_t count, Tensor* to) {
    float* values = values_.Write(to, count);
    for (int64_t i = 0; i < count * from.sample_size; ++i) {
      values[i] = static_cast<float>(from.values[i]);
    }
  }

  std::unique_ptr<Operation> operation_;
  PlainValues values_;
  std::vector<std::unique_ptr<HostTensor>> x_, dx_;
  std::unique_ptr<HostTensor> y_, dy_;
};

}  // namespace

std::unique_ptr<Operation> MakeFromReference(const OperationShape& shape, int64_t batch_max,
                                             Context& context) {
  auto operation = std::visit([](const auto& value) { return reference::Make(value); }, shape);
  return std::make_unique<FromReference>(std::move(operation), shape, batch_max, context);
}

}  // namespace baton::trainer::cpu
