#include <algorithm>
#include <array>
#include <map>

#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

using FilterDescriptor =
    Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using ConvDescriptor = Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                                  cudnnDestroyConvolutionDescriptor>;

// An algorithm that needs more memory than this is not worth it.
constexpr size_t kWorkspaceMax = size_t{512} << 20;
constexpr int kCandidates = 8;

template <class Algorithm>
struct Choice {
  Algorithm algorithm;
  size_t workspace = 0;
};

// The first candidate, the fastest by cuDNN's own table for this card and shape, that gives the
// same bits each time and computes in float32, or just the first one when that is wanted; else the
// one that every shape has. The table is part of the library, so the choice is a function of the
// shape and the backend's identity.
template <class Candidate, class Algorithm>
Choice<Algorithm> FirstFit(const std::array<Candidate, kCandidates>& candidates, int count,
                           bool fast, Algorithm last_resort) {
  for (int i = 0; i < count; ++i) {
    const Candidate& candidate = candidates[static_cast<size_t>(i)];
    const bool float32 =
        candidate.mathType == CUDNN_FMA_MATH || candidate.mathType == CUDNN_DEFAULT_MATH;
    const bool same = float32 && candidate.determinism == CUDNN_DETERMINISTIC;
    if (candidate.status == CUDNN_STATUS_SUCCESS && (fast || same) &&
        candidate.memory <= kWorkspaceMax) {
      return {candidate.algo, candidate.memory};
    }
  }
  return {last_resort, 0};
}

// cuDNN's view of the operation on so many samples.
struct Plan {
  explicit Plan(Context& context) : x(context), y(context), b(context), w(context), conv(context) {}
  TensorDescriptor x, y, b;
  FilterDescriptor w;
  ConvDescriptor conv;
  Choice<cudnnConvolutionFwdAlgo_t> forward;
  Choice<cudnnConvolutionBwdDataAlgo_t> input;
  Choice<cudnnConvolutionBwdFilterAlgo_t> weights;
};

class Conv : public Operation {
 public:
  Conv(const ConvOperation& shape, Context& context)
      : context_(context),
        shape_(shape),
        filter_(ParameterCount(OperationShape(shape)) - (shape.bias ? shape.out[0] : 0)),
        weights_(ParameterCount(OperationShape(shape))) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    Plan& plan = PlanFor(arguments.count);
    const float* w = weights_.Take(context_, arguments.weights);
    float* y = Values(arguments.y);
    void* workspace = context_.Workspace(plan.forward.workspace);
    if (!context_.ok()) return context_.End("convolution");
    context_.Check(cudnnConvolutionForward(context_.dnn(), &kOne, plan.x.get(),
                                           Values(arguments.x[0]), plan.w.get(), w, plan.conv.get(),
                                           plan.forward.algorithm, workspace,
                                           plan.forward.workspace, &kZero, plan.y.get(), y));
    if (shape_.bias) {
      context_.Check(
          cudnnAddTensor(context_.dnn(), &kOne, plan.b.get(), w + filter_, &kOne, plan.y.get(), y));
    }
    if (shape_.activation == Activation::kRelu) {
      kernels::Clip(y, arguments.count * ElementCount(shape_.out), context_.stream());
    }
    return context_.End("convolution");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    Plan& plan = PlanFor(arguments.count);
    float* dy = Values(arguments.dy);
    float* dw = weights_.Gradient(context_, arguments.weights_gradient);
    void* workspace = context_.Workspace(std::max(plan.input.workspace, plan.weights.workspace));
    if (!context_.ok()) return context_.End("convolution, backward");
    if (shape_.activation == Activation::kRelu) {
      kernels::ClipGradient(Values(arguments.y), dy, arguments.count * ElementCount(shape_.out),
                            context_.stream());
    }
    context_.Check(cudnnConvolutionBackwardFilter(
        context_.dnn(), &kOne, plan.x.get(), Values(arguments.x[0]), plan.y.get(), dy,
        plan.conv.get(), plan.weights.algorithm, workspace, plan.weights.workspace, &kZero,
        plan.w.get(), dw));
    if (shape_.bias) {
      context_.Check(cudnnConvolutionBackwardBias(context_.dnn(), &kOne, plan.y.get(), dy, &kZero,
                                                  plan.b.get(), dw + filter_));
    }
    if (float* dx = Values(arguments.dx[0])) {
      context_.Check(cudnnConvolutionBackwardData(
          context_.dnn(), &kOne, plan.w.get(), weights_.values(), plan.y.get(), dy, plan.conv.get(),
          plan.input.algorithm, workspace, plan.input.workspace, &kZero, plan.x.get(), dx));
    }
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("convolution, backward");
  }

 private:
  Plan& PlanFor(int64_t count) {
    std::unique_ptr<Plan>& plan = plans_[count];
    if (plan == nullptr) {
      plan = std::make_unique<Plan>(context_);
      Describe(count, *plan);
      Choose(*plan);
    }
    return *plan;
  }

  void Describe(int64_t count, Plan& plan) {
    const auto size = [](int64_t extent) { return static_cast<int>(extent); };
    DescribeImages(context_, plan.x, count, shape_.in[0], shape_.in[1], shape_.in[2]);
    DescribeImages(context_, plan.y, count, shape_.out[0], shape_.out[1], shape_.out[2]);
    DescribeImages(context_, plan.b, 1, shape_.out[0], 1, 1);
    context_.Check(cudnnSetFilter4dDescriptor(
        plan.w.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, size(shape_.out[0]),
        size(shape_.in[0] / shape_.groups), size(shape_.kernel.height), size(shape_.kernel.width)));
    context_.Check(cudnnSetConvolution2dDescriptor(
        plan.conv.get(), size(shape_.padding.height), size(shape_.padding.width),
        size(shape_.stride.height), size(shape_.stride.width), size(shape_.dilation.height),
        size(shape_.dilation.width), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    context_.Check(cudnnSetConvolutionGroupCount(plan.conv.get(), size(shape_.groups)));
    context_.Check(cudnnSetConvolutionMathType(
        plan.conv.get(), context_.fast() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH));
  }

  void Choose(Plan& plan) {
    if (!context_.ok()) return;
    int count = 0;
    std::array<cudnnConvolutionFwdAlgoPerf_t, kCandidates> forward{};
    context_.Check(cudnnGetConvolutionForwardAlgorithm_v7(
        context_.dnn(), plan.x.get(), plan.w.get(), plan.conv.get(), plan.y.get(), kCandidates,
        &count, forward.data()));
    plan.forward =
        FirstFit(forward, count, context_.fast(), CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
    std::array<cudnnConvolutionBwdDataAlgoPerf_t, kCandidates> input{};
    context_.Check(cudnnGetConvolutionBackwardDataAlgorithm_v7(
        context_.dnn(), plan.w.get(), plan.y.get(), plan.conv.get(), plan.x.get(), kCandidates,
        &count, input.data()));
    plan.input = FirstFit(input, count, context_.fast(), CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
    std::array<cudnnConvolutionBwdFilterAlgoPerf_t, kCandidates> weights{};
    context_.Check(cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        context_.dnn(), plan.x.get(), plan.y.get(), plan.conv.get(), plan.w.get(), kCandidates,
        &count, weights.data()));
    plan.weights = FirstFit(weights, count, context_.fast(), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
    Measure(plan);
  }

  // The room that the chosen algorithms need.
  void Measure(Plan& plan) {
    context_.Check(cudnnGetConvolutionForwardWorkspaceSize(
        context_.dnn(), plan.x.get(), plan.w.get(), plan.conv.get(), plan.y.get(),
        plan.forward.algorithm, &plan.forward.workspace));
    context_.Check(cudnnGetConvolutionBackwardDataWorkspaceSize(
        context_.dnn(), plan.w.get(), plan.y.get(), plan.conv.get(), plan.x.get(),
        plan.input.algorithm, &plan.input.workspace));
    context_.Check(cudnnGetConvolutionBackwardFilterWorkspaceSize(
        context_.dnn(), plan.x.get(), plan.y.get(), plan.conv.get(), plan.w.get(),
        plan.weights.algorithm, &plan.weights.workspace));
  }

  Context& context_;
  ConvOperation shape_;
  int64_t filter_;  // floats before the bias
  Weights weights_;
  std::map<int64_t, std::unique_ptr<Plan>> plans_;  // by count
};

}  // namespace

std::unique_ptr<Operation> Make(const ConvOperation& shape, Context& context) {
  return std::make_unique<Conv>(shape, context);
}

}  // namespace baton::trainer::cuda
