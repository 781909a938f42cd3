// Operations on each value alone.
#include <bit>
#include <type_traits>

#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/operations.h"

namespace baton::trainer::cuda {
namespace {

class ActivationFunction : public Operation {
 public:
  ActivationFunction(const ActivationOperation& shape, Context& context)
      : context_(context), shape_(shape), size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    kernels::Activate(shape_, Values(arguments.x[0]), Values(arguments.y), arguments.count * size_,
                      context_.stream());
    return context_.End("activation");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    kernels::ActivateGradient(shape_, Values(arguments.x[0]), Values(arguments.dy), dx,
                              arguments.count * size_, context_.stream());
    return context_.End("activation, backward");
  }

 private:
  Context& context_;
  ActivationOperation shape_;
  int64_t size_;
};

// The key by which kernels draw a stream's numbers (philox.h): all that a stream holds.
uint64_t KeyOf(const RandomStream& stream) {
  static_assert(sizeof(RandomStream) == sizeof(uint64_t) &&
                std::is_trivially_copyable_v<RandomStream>);
  return std::bit_cast<uint64_t>(stream);
}

class Dropout : public Operation {
 public:
  Dropout(const DropoutOperation& shape, Context& context)
      : context_(context), rate_(shape.rate), size_(ElementCount(shape.shape)) {}

  absl::Status Prepare(const ForwardArguments& arguments) override {
    if (arguments.pass != Pass::kTrain) return absl::OkStatus();
    context_.Begin();
    const uint64_t key = KeyOf(arguments.stream);
    context_.Upload(&key, sizeof(key), key_.Reserve(context_, sizeof(key)));
    return context_.End("dropout");
  }

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    drops_ = arguments.pass == Pass::kTrain;
    Apply(Values(arguments.x[0]), arguments.count, Values(arguments.y));
    return context_.End("dropout");
  }

  // The same numbers are drawn again: cheaper than to keep them.
  absl::Status Backward(const BackwardArguments& arguments) override {
    float* dx = Values(arguments.dx[0]);
    if (dx == nullptr) return absl::OkStatus();
    context_.Begin();
    Apply(Values(arguments.dy), arguments.count, dx);
    return context_.End("dropout, backward");
  }

 private:
  void Apply(const float* from, int64_t count, float* to) {
    if (drops_) {
      kernels::Dropout(static_cast<const uint64_t*>(key_.data()), rate_, from, to, count * size_,
                       context_.stream());
    } else {
      context_.Copy(from, count * size_, to);
    }
  }

  Context& context_;
  float rate_;
  int64_t size_;
  Buffer key_;          // on the card, since each pass has another
  bool drops_ = false;  // the last Forward did
};

class Position : public Operation {
 public:
  Position(const PositionOperation& shape, Context& context)
      : context_(context), size_(ElementCount(shape.shape)), weights_(size_) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const float* w = weights_.Take(context_, arguments.weights);
    if (context_.ok()) {
      kernels::AddRows(Values(arguments.x[0]), w, size_, false, Values(arguments.y),
                       arguments.count * size_, context_.stream());
    }
    return context_.End("position");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const float* dy = Values(arguments.dy);
    float* gradient = weights_.Gradient(context_, arguments.weights_gradient);
    if (!context_.ok()) return context_.End("position, backward");
    kernels::SumRows(dy, arguments.count, size_, gradient, context_.stream());
    if (float* dx = Values(arguments.dx[0])) context_.Copy(dy, arguments.count * size_, dx);
    weights_.Store(context_, arguments.weights_gradient);
    return context_.End("position, backward");
  }

 private:
  Context& context_;
  int64_t size_;
  Weights weights_;
};

class Add : public Operation {
 public:
  Add(const AddOperation& shape, Context& context)
      : context_(context),
        size_(ElementCount(shape.shape)),
        clip_(shape.activation == Activation::kRelu) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count * size_;
    float* y = Values(arguments.y);
    // Of a pair, as residual nets have it, memory is gone through once.
    const bool pair = arguments.x.size() == 2;
    kernels::AddPair(Values(arguments.x[0]), Values(arguments.x[1]), clip_ && pair, y, count,
                     context_.stream());
    for (const Tensor* x : arguments.x.subspan(2)) {
      kernels::AddTo(Values(x), y, count, context_.stream());
    }
    if (clip_ && !pair) kernels::Clip(y, count, context_.stream());
    return context_.End("addition");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count * size_;
    float* dy = Values(arguments.dy);
    const float* y = Values(arguments.y);
    const auto& dxs = arguments.dx;
    if (dxs.size() == 2 && dxs[0] != nullptr && dxs[1] != nullptr) {
      kernels::SharePair(clip_ ? y : nullptr, dy, Values(dxs[0]), Values(dxs[1]), count,
                         context_.stream());
      return context_.End("addition, backward");
    }
    if (clip_) kernels::ClipGradient(y, dy, count, context_.stream());
    for (Tensor* dx : arguments.dx) {
      if (dx != nullptr) context_.Copy(dy, count, Values(dx));
    }
    return context_.End("addition, backward");
  }

 private:
  Context& context_;
  int64_t size_;
  bool clip_;
};

class Multiply : public Operation {
 public:
  Multiply(const MultiplyOperation& shape, Context& context)
      : context_(context), size_(ElementCount(shape.shape)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count * size_;
    float* y = Values(arguments.y);
    context_.Copy(Values(arguments.x[0]), count, y);
    for (const Tensor* x : arguments.x.subspan(1)) {
      kernels::MultiplyBy(Values(x), y, count, context_.stream());
    }
    return context_.End("product");
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    context_.Begin();
    const int64_t count = arguments.count * size_;
    for (size_t k = 0; k < arguments.dx.size(); ++k) {
      float* dx = Values(arguments.dx[k]);
      if (dx == nullptr) continue;
      context_.Copy(Values(arguments.dy), count, dx);
      for (size_t j = 0; j < arguments.x.size(); ++j) {
        if (j != k) kernels::MultiplyBy(Values(arguments.x[j]), dx, count, context_.stream());
      }
    }
    return context_.End("product, backward");
  }

 private:
  Context& context_;
  int64_t size_;
};

}  // namespace

std::unique_ptr<Operation> Make(const ActivationOperation& shape, Context& context) {
  return std::make_unique<ActivationFunction>(shape, context);
}
std::unique_ptr<Operation> Make(const DropoutOperation& shape, Context& context) {
  return std::make_unique<Dropout>(shape, context);
}
std::unique_ptr<Operation> Make(const PositionOperation& shape, Context& context) {
  return std::make_unique<Position>(shape, context);
}
std::unique_ptr<Operation> Make(const AddOperation& shape, Context& context) {
  return std::make_unique<Add>(shape, context);
}
std::unique_ptr<Operation> Make(const MultiplyOperation& shape, Context& context) {
  return std::make_unique<Multiply>(shape, context);
}

}  // namespace baton::trainer::cuda
