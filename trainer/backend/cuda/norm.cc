#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

// By cuDNN with the micro-batch's own statistics (the plain mode: the persistent one may overflow
// and takes other shapes another way), by own kernels with the running ones.
class BatchNorm : public Operation {
 public:
  BatchNorm(const BatchNormOperation& shape, Context& context)
      : context_(context),
        shape_(shape),
        channels_(shape.shape[0]),
        area_(ElementCount(shape.shape) / channels_),
        weights_(4 * channels_),
        x_(context),
        parameters_(context) {
    DescribeImages(context, parameters_, 1, channels_, 1, 1);
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const float* w = weights_.Take(context_, arguments.weights);
    float* statistics = statistics_.ReserveFloats(context_, 4 * channels_);
    if (!context_.ok()) return context_.End("batch normalisation");
    const float* x = Values(arguments.x[0]);
    float* y = Values(arguments.y);
    own_ = arguments.pass == Pass::kTrain && !shape_.frozen;
    if (own_) {
      // With a factor of 1 the running ones become those of this micro-batch: mean and unbiased
      // variance. Zero first, for zero times what was there must not be a NaN.
      context_.Zero(statistics, 4 * channels_);
      DescribeImages(context_, x_, arguments.count, channels_, area_, 1);
      context_.Check(cudnnBatchNormalizationForwardTraining(
          context_.dnn(), CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, x_.get(), x, x_.get(), y,
          parameters_.get(), w, w + channels_, 1.0, statistics, statistics + channels_,
          static_cast<double>(shape_.epsilon), statistics + 2 * channels_,
          statistics + 3 * channels_));
    } else {
      kernels::NormalizeByRunning(Shape(arguments.count), x, w, y, context_.stream());
    }
    if (shape_.activation == Activation::kRelu) {
      kernels::Clip(y, arguments.count * channels_ * area_, context_.stream());
    }
    return context_.End("batch normalisation");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const int64_t values = arguments.count * channels_ * area_;
    const float* w = weights_.values();
    const auto* statistics = static_cast<const float*>(statistics_.data());
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr && own_) dx = unwanted_.ReserveFloats(context_, values);
    if (!context_.ok()) return context_.End("batch normalisation, backward");
    const float* x = Values(arguments.x[0]);
    float* dy = Values(arguments.dy);
    if (shape_.activation == Activation::kRelu) {
      kernels::ClipGradient(Values(arguments.y), dy, values, context_.stream());
    }
    if (own_) {
      DescribeImages(context_, x_, arguments.count, channels_, area_, 1);
      context_.Check(cudnnBatchNormalizationBackward(
          context_.dnn(), CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, &kOne, &kZero, x_.get(), x,
          x_.get(), dy, x_.get(), dx, parameters_.get(), w, gradient, gradient + channels_,
          static_cast<double>(shape_.epsilon), statistics + 2 * channels_,
          statistics + 3 * channels_));
      const float share = arguments.statistics_scale * static_cast<float>(arguments.count);
      kernels::StoreStatistics(statistics, statistics + channels_, arguments.count * area_ == 1,
                               share, channels_, gradient, context_.stream());
    } else {
      kernels::NormalizeByRunningGradient(Shape(arguments.count), x, w, dy, dx, gradient,
                                          context_.stream());
    }
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("batch normalisation, backward");
  }

 private:
  kernels::Channels Shape(int64_t count) const { return {count, channels_, area_, shape_.epsilon}; }

  Context& context_;
  BatchNormOperation shape_;
  int64_t channels_, area_;
  Weights weights_;
  TensorDescriptor x_, parameters_;
  bool own_ = false;   // the last Forward took the micro-batch's statistics
  Buffer statistics_;  // its mean, its unbiased variance, and what cuDNN keeps for the way back
  Buffer unwanted_;    // cuDNN always computes the gradient of x
};

class LayerNorm : public Operation {
 public:
  LayerNorm(const LayerNormOperation& shape, Context& context)
      : context_(context),
        width_(shape.shape.back()),
        rows_(ElementCount(shape.shape) / width_),
        epsilon_(shape.epsilon),
        weights_(2 * width_) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const int64_t rows = arguments.count * rows_;
    const float* w = weights_.Take(context_, arguments.weights);
    float* moments = moments_.ReserveFloats(context_, 2 * rows);
    if (!context_.ok()) return context_.End("layer normalisation");
    kernels::LayerNorm(Values(arguments.x[0]), w, rows, width_, epsilon_, moments,
                       Values(arguments.y), context_.stream());
    return context_.End("layer normalisation");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const int64_t rows = arguments.count * rows_;
    const auto* moments = static_cast<const float*>(moments_.data());
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    if (!context_.ok()) return context_.End("layer normalisation, backward");
    const float* x = Values(arguments.x[0]);
    const float* dy = Values(arguments.dy);
    if (float* dx = Values(arguments.dx[0])) {
      kernels::LayerNormInput(x, weights_.values(), moments, dy, rows, width_, dx,
                              context_.stream());
    }
    kernels::LayerNormWeights(x, moments, dy, rows, width_, gradient, context_.stream());
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("layer normalisation, backward");
  }

 private:
  Context& context_;
  int64_t width_, rows_;
  float epsilon_;
  Weights weights_;
  Buffer moments_;  // of the last Forward
};

}  // namespace

std::unique_ptr<Operation> Make(const BatchNormOperation& shape, Context& context) {
  return std::make_unique<BatchNorm>(shape, context);
}
std::unique_ptr<Operation> Make(const LayerNormOperation& shape, Context& context) {
  return std::make_unique<LayerNorm>(shape, context);
}

}  // namespace baton::trainer::cuda
