#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

class MaxPool : public Operation {
 public:
  MaxPool(const MaxPoolOperation& shape, Context& context) : context_(context), shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const int64_t outputs = arguments.count * ElementCount(shape_.out);
    auto* places = static_cast<int32_t*>(
        places_.Reserve(context_, static_cast<size_t>(outputs) * sizeof(int32_t)));
    if (!context_.ok()) return context_.End("max pooling");
    float* y = Values(arguments.y);
    kernels::MaxPool(shape_, Values(arguments.x[0]), arguments.count, places, y, context_.stream());
    if (clip()) kernels::Clip(y, outputs, context_.stream());
    return context_.End("max pooling");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    float* dy = Values(arguments.dy);
    if (clip()) {
      kernels::ClipGradient(Values(arguments.y), dy, arguments.count * ElementCount(shape_.out),
                            context_.stream());
    }
    kernels::MaxPoolGradient(shape_, static_cast<const int32_t*>(places_.data()), dy,
                             arguments.count, dx, context_.stream());
    return context_.End("max pooling, backward");
  }

 private:
  bool clip() const { return shape_.activation == Activation::kRelu; }

  Context& context_;
  MaxPoolOperation shape_;
  Buffer places_;  // of the last Forward: where each output comes from
};

using PoolingDescriptor = Descriptor<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor,
                                     cudnnDestroyPoolingDescriptor>;

class AvgPool : public Operation {
 public:
  AvgPool(const AvgPoolOperation& shape, Context& context)
      : context_(context), shape_(shape), x_(context), y_(context), pooling_(context) {
    const auto size = [](int64_t extent) { return static_cast<int>(extent); };
    context_.Check(cudnnSetPooling2dDescriptor(
        pooling_.get(),
        shape.count_padding ? CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
                            : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING,
        CUDNN_PROPAGATE_NAN, size(shape.kernel.height), size(shape.kernel.width),
        size(shape.padding.height), size(shape.padding.width), size(shape.stride.height),
        size(shape.stride.width)));
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    Describe(arguments.count);
    context_.Check(cudnnPoolingForward(context_.dnn(), pooling_.get(), &kOne, x_.get(),
                                       Values(arguments.x[0]), &kZero, y_.get(),
                                       Values(arguments.y)));
    return context_.End("average pooling");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    Describe(arguments.count);
    context_.Check(cudnnPoolingBackward(context_.dnn(), pooling_.get(), &kOne, y_.get(),
                                        Values(arguments.y), y_.get(), Values(arguments.dy),
                                        x_.get(), Values(arguments.x[0]), &kZero, x_.get(), dx));
    return context_.End("average pooling, backward");
  }

 private:
  void Describe(int64_t count) {
    DescribeImages(context_, x_, count, shape_.in[0], shape_.in[1], shape_.in[2]);
    DescribeImages(context_, y_, count, shape_.out[0], shape_.out[1], shape_.out[2]);
  }

  Context& context_;
  AvgPoolOperation shape_;
  TensorDescriptor x_, y_;
  PoolingDescriptor pooling_;
};

class SequencePool : public Operation {
 public:
  SequencePool(const SequencePoolOperation& shape, Context& context)
      : context_(context), shape_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    kernels::SequencePool(shape_, Values(arguments.x[0]), arguments.count, Values(arguments.y),
                          context_.stream());
    return context_.End("sequence pooling");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    kernels::SequencePoolGradient(shape_, Values(arguments.x[0]), Values(arguments.dy),
                                  arguments.count, dx, context_.stream());
    return context_.End("sequence pooling, backward");
  }

 private:
  Context& context_;
  SequencePoolOperation shape_;
};

}  // namespace

std::unique_ptr<Operation> Make(const MaxPoolOperation& shape, Context& context) {
  return std::make_unique<MaxPool>(shape, context);
}
std::unique_ptr<Operation> Make(const AvgPoolOperation& shape, Context& context) {
  return std::make_unique<AvgPool>(shape, context);
}
std::unique_ptr<Operation> Make(const SequencePoolOperation& shape, Context& context) {
  return std::make_unique<SequencePool>(shape, context);
}

}  // namespace baton::trainer::cuda
