#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/matrix.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

class Dense : public Operation {
 public:
  Dense(const DenseOperation& shape, Context& context)
      : context_(context),
        clip_(shape.activation == Activation::kRelu),
        bias_(shape.bias),
        bfloat16_(shape.bfloat16),
        rows_(shape.rows),
        in_(ElementCount(shape.in) / shape.rows),
        out_(shape.out.back()),
        weights_(out_ * (in_ + (bias_ ? 1 : 0))) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const float* w = weights_.Take(context_, arguments.weights);
    float* y = Values(arguments.y);
    const Rows rows{arguments.count * rows_, in_, out_, bfloat16_};
    MultiplyRows(context_, rows, Values(arguments.x[0]), w, y);
    if (context_.ok() && bias_) {
      kernels::AddRows(y, w + out_ * in_, out_, clip_, y, rows.rows * out_, context_.stream());
    } else if (context_.ok() && clip_) {
      kernels::Clip(y, rows.rows * out_, context_.stream());
    }
    return context_.End("dense");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const Rows rows{arguments.count * rows_, in_, out_, bfloat16_};
    float* dy = Values(arguments.dy);
    float* dw = weights_.Gradient(context_, arguments.weights_gradient);
    if (!context_.ok()) return context_.End("dense");
    if (clip_) {
      kernels::ClipGradient(Values(arguments.y), dy, rows.rows * out_, context_.stream());
    }
    if (bfloat16_) kernels::RoundToBfloat16s(dy, rows.rows * out_, context_.stream());
    MultiplyRowsWeights(context_, rows, dy, Values(arguments.x[0]), dw);
    if (bias_) kernels::SumRows(dy, rows.rows, out_, dw + out_ * in_, context_.stream());
    if (float* dx = Values(arguments.dx[0])) {
      MultiplyRowsInput(context_, rows, dy, weights_.values(), dx);
    }
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("dense, backward");
  }

 private:
  Context& context_;
  bool clip_, bias_, bfloat16_;
  int64_t rows_, in_, out_;
  Weights weights_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DenseOperation& shape, Context& context) {
  return std::make_unique<Dense>(shape, context);
}

}  // namespace baton::trainer::cuda
