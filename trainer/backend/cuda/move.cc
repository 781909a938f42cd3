// Operations that only move values: the last position, another shape, inputs side by side.
#include <vector>

#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

// `blocks` runs of `width` floats, which begin `from_step` and `to_step` floats apart.
struct Runs {
  int64_t blocks, width, from_step, to_step;
};
void CopyRuns(Context& context, const Runs& runs, const float* from, float* to) {
  const auto bytes = [](int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); };
  context.Check(cudaMemcpy2DAsync(to, bytes(runs.to_step), from, bytes(runs.from_step),
                                  bytes(runs.width), static_cast<size_t>(runs.blocks),
                                  cudaMemcpyDeviceToDevice, context.stream()));
}

class Last : public Operation {
 public:
  Last(const LastOperation& shape, Context& context)
      : context_(context), width_(shape.in[1]), size_(ElementCount(shape.in)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    CopyRuns(context_, {arguments.count, width_, size_, width_},
             Values(arguments.x[0]) + size_ - width_, Values(arguments.y));
    return context_.End("last");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    context_.Zero(dx, arguments.count * size_);
    CopyRuns(context_, {arguments.count, width_, width_, size_}, Values(arguments.dy),
             dx + size_ - width_);
    return context_.End("last, backward");
  }

 private:
  Context& context_;
  int64_t width_, size_;
};

class View : public Operation {
 public:
  View(const ViewOperation& shape, Context& context)
      : context_(context), size_(ElementCount(shape.in)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    context_.Copy(Values(arguments.x[0]), arguments.count * size_, Values(arguments.y));
    return context_.End("view");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    context_.Copy(Values(arguments.dy), arguments.count * size_, dx);
    return context_.End("view, backward");
  }

 private:
  Context& context_;
  int64_t size_;
};

class Concat : public Operation {
 public:
  Concat(const ConcatOperation& shape, Context& context)
      : context_(context), outer_(shape.outer), block_(ElementCount(shape.out) / shape.outer) {
    for (const SampleShape& in : shape.ins) shares_.push_back(ElementCount(in) / outer_);
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    int64_t at = 0;
    for (size_t k = 0; k < shares_.size(); ++k) {
      CopyRuns(context_, {arguments.count * outer_, shares_[k], shares_[k], block_},
               Values(arguments.x[k]), Values(arguments.y) + at);
      at += shares_[k];
    }
    return context_.End("concatenation");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    int64_t at = 0;
    for (size_t k = 0; k < shares_.size(); ++k) {
      if (float* dx = Values(arguments.dx[k])) {
        CopyRuns(context_, {arguments.count * outer_, shares_[k], block_, shares_[k]},
                 Values(arguments.dy) + at, dx);
      }
      at += shares_[k];
    }
    return context_.End("concatenation, backward");
  }

 private:
  Context& context_;
  int64_t outer_, block_;
  std::vector<int64_t> shares_;  // of a block, by input
};

}  // namespace

std::unique_ptr<Operation> Make(const LastOperation& shape, Context& context) {
  return std::make_unique<Last>(shape, context);
}
std::unique_ptr<Operation> Make(const ViewOperation& shape, Context& context) {
  return std::make_unique<View>(shape, context);
}
std::unique_ptr<Operation> Make(const ConcatOperation& shape, Context& context) {
  return std::make_unique<Concat>(shape, context);
}

}  // namespace baton::trainer::cuda
