#include <cstdint>
#include <memory>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/numeric/float_math.h"

namespace baton::trainer::cpu {

namespace {

constexpr float kInverseRootOfTwo = 0.707106781f;
constexpr float kInverseRootOfTwoPi = 0.398942280f;

float NormalBelow(float x) { return 0.5f + 0.5f * FloatErf(x * kInverseRootOfTwo); }

template <class Body>
void ForEach(size_t count, float* out, const Body& body) {
  for (size_t i = 0; i < count; ++i) out[i] = body(i);
}

void Apply(const ActivationOperation& shape, const float* x, size_t count, float* y) {
  const float slope = shape.slope;
  switch (shape.function) {
    case Function::kRelu:
      return ForEach(count, y, [=](size_t i) { return x[i] > 0 ? x[i] : 0.0f; });
    case Function::kLeakyRelu:
      return ForEach(count, y, [=](size_t i) { return x[i] > 0 ? x[i] : slope * x[i]; });
    case Function::kElu:
      return ForEach(count, y, [=](size_t i) {
        const float below = slope * FloatExponentialMinusOne(x[i] > 0 ? 0.0f : x[i]);
        return x[i] > 0 ? x[i] : below;
      });
    case Function::kSigmoid:
      return ForEach(count, y, [=](size_t i) { return FloatSigmoid(x[i]); });
    case Function::kTanh:
      return ForEach(count, y, [=](size_t i) { return FloatTanh(x[i]); });
    case Function::kGelu:
      return ForEach(count, y, [=](size_t i) { return x[i] * NormalBelow(x[i]); });
    case Function::kSilu:
      return ForEach(count, y, [=](size_t i) { return x[i] * FloatSigmoid(x[i]); });
  }
}

void ApplyBackward(const ActivationOperation& shape, const float* x, const float* y,
                   const float* dy, size_t count, float* dx) {
  const float slope = shape.slope;
  switch (shape.function) {
    case Function::kRelu:
      return ForEach(count, dx, [=](size_t i) { return x[i] > 0 ? dy[i] : 0.0f; });
    case Function::kLeakyRelu:
      return ForEach(count, dx, [=](size_t i) { return x[i] > 0 ? dy[i] : slope * dy[i]; });
    case Function::kElu:
      return ForEach(count, dx,
                     [=](size_t i) { return x[i] > 0 ? dy[i] : dy[i] * (y[i] + slope); });
    case Function::kSigmoid:
      return ForEach(count, dx, [=](size_t i) { return dy[i] * (y[i] * (1 - y[i])); });
    case Function::kTanh:
      return ForEach(count, dx, [=](size_t i) { return dy[i] * (1 - y[i] * y[i]); });
    case Function::kGelu:
      return ForEach(count, dx, [=](size_t i) {
        const float density = kInverseRootOfTwoPi * FloatExponential(-0.5f * (x[i] * x[i]));
        return dy[i] * (NormalBelow(x[i]) + x[i] * density);
      });
    case Function::kSilu:
      return ForEach(count, dx, [=](size_t i) {
        const float sigmoid = FloatSigmoid(x[i]);
        return dy[i] * (sigmoid * (1 + x[i] * (1 - sigmoid)));
      });
  }
}

// In the layout in which x comes.
class ActivationFunction : public Operation {
 public:
  ActivationFunction(const ActivationOperation& shape, Context& context)
      : shape_(shape), context_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("activation", [&] {
      const CpuTensor& in = Cpu(arguments.x[0]);
      // A sigmoid of padding would no longer be zero.
      const bool plain = shape_.function == Function::kSigmoid;
      const dnnl::memory::desc desc =
          plain ? in.PlainDesc(arguments.count) : in.memory().get_desc();
      const dnnl::memory x = x_.Bring(context_, in.memory(), desc);
      const dnnl::memory& y = Cpu(arguments.y).Write(desc, context_.engine);
      Apply(shape_, Values(x), ValueCount(x), Values(y));
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("activation", [&] {
      const dnnl::memory& y = Cpu(arguments.y).memory();
      const dnnl::memory x = x_.Bring(context_, Cpu(arguments.x[0]).memory(), y.get_desc());
      const dnnl::memory dy = dy_.Bring(context_, Cpu(arguments.dy).memory(), y.get_desc());
      const dnnl::memory& dx = Cpu(arguments.dx[0]).Write(y.get_desc(), context_.engine);
      ApplyBackward(shape_, Values(x), Values(y), Values(dy), ValueCount(y), Values(dx));
    });
  }

 private:
  ActivationOperation shape_;
  Context& context_;
  Staging x_, dy_;
};

}  // namespace

std::unique_ptr<Operation> Make(const ActivationOperation& shape, Context& context) {
  return std::make_unique<ActivationFunction>(shape, context);
}

}  // namespace baton::trainer::cpu
