// Sum and product of several inputs, in the layout of the first.
#include <cstring>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

void AddTo(const float* x, size_t count, float* y) {
  for (size_t i = 0; i < count; ++i) y[i] += x[i];
}

void MultiplyTo(const float* x, size_t count, float* y) {
  for (size_t i = 0; i < count; ++i) y[i] *= x[i];
}

void Copy(const dnnl::memory& from, const dnnl::memory& to) {
  std::memcpy(Values(to), Values(from), from.get_desc().get_size());
}

class Add : public Operation {
 public:
  Add(const AddOperation& shape, Context& context)
      : activation_(shape.activation), context_(context), x_(shape.inputs) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("add", [&] {
      const dnnl::memory& first = Cpu(arguments.x[0]).memory();
      const dnnl::memory& y = Cpu(arguments.y).Write(first.get_desc(), context_.engine);
      Copy(first, y);
      for (size_t k = 1; k < x_.size(); ++k) {
        const dnnl::memory x = x_[k].Bring(context_, Cpu(arguments.x[k]).memory(), y.get_desc());
        AddTo(Values(x), ValueCount(y), Values(y));
      }
      if (activation_ == Activation::kRelu) ClipValues(y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("add", [&] {
      dnnl::memory dy = Cpu(arguments.dy).memory();
      if (activation_ == Activation::kRelu) {
        dy = ClipGradient(context_, Cpu(arguments.y).memory(), dy, dy_);
      }
      for (Tensor* dx : arguments.dx) {
        if (dx != nullptr) Copy(dy, Cpu(dx).Write(dy.get_desc(), context_.engine));
      }
    });
  }

 private:
  Activation activation_;
  Context& context_;
  std::vector<Staging> x_;  // by input
  Staging dy_;
};

class MultiplyInputs : public Operation {
 public:
  MultiplyInputs(const MultiplyOperation& shape, Context& context)
      : context_(context), x_(shape.inputs) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("multiply", [&] {
      const dnnl::memory& first = Cpu(arguments.x[0]).memory();
      const dnnl::memory& y = Cpu(arguments.y).Write(first.get_desc(), context_.engine);
      Copy(first, y);
      MultiplyOthers(arguments.x, 0, y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("multiply", [&] {
      const dnnl::memory::desc desc = Cpu(arguments.y).memory().get_desc();
      const dnnl::memory dy = dy_.Bring(context_, Cpu(arguments.dy).memory(), desc);
      for (size_t k = 0; k < x_.size(); ++k) {
        if (arguments.dx[k] == nullptr) continue;
        const dnnl::memory& dx = Cpu(arguments.dx[k]).Write(desc, context_.engine);
        Copy(dy, dx);
        MultiplyOthers(arguments.x, k, dx);
      }
    });
  }

 private:
  // y times all inputs but `without`.
  void MultiplyOthers(absl::Span<const Tensor* const> x, size_t without, const dnnl::memory& y) {
    for (size_t k = 0; k < x.size(); ++k) {
      if (k == without) continue;
      const dnnl::memory other = x_[k].Bring(context_, Cpu(x[k]).memory(), y.get_desc());
      MultiplyTo(Values(other), ValueCount(y), Values(y));
    }
  }

  Context& context_;
  std::vector<Staging> x_;  // by input
  Staging dy_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AddOperation& shape, Context& context) {
  return std::make_unique<Add>(shape, context);
}
std::unique_ptr<Operation> Make(const MultiplyOperation& shape, Context& context) {
  return std::make_unique<MultiplyInputs>(shape, context);
}

}  // namespace baton::trainer::cpu
