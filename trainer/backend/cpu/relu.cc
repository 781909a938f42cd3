#include <algorithm>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

const float* Values(const dnnl::memory& memory) {
  return static_cast<const float*>(memory.get_data_handle());
}

// Padding included: it is zero and stays zero.
size_t ValueCount(const dnnl::memory& memory) {
  return memory.get_desc().get_size() / sizeof(float);
}

// out may be y or dy.
void Clip(const float* y, const float* dy, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = y[i] > 0 ? dy[i] : 0.0f;
}

class Relu : public Operation {
 public:
  explicit Relu(Context& context) : context_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("relu", [&] {
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      const dnnl::memory& y = Cpu(arguments.y).Write(x.get_desc(), context_.engine);
      Clip(Values(x), Values(x), ValueCount(x), static_cast<float*>(y.get_data_handle()));
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("relu", [&] {
      const dnnl::memory& y = Cpu(arguments.y).memory();
      const dnnl::memory dy = dy_.Bring(context_, Cpu(arguments.dy).memory(), y.get_desc());
      const dnnl::memory& dx = Cpu(arguments.dx[0]).Write(y.get_desc(), context_.engine);
      Clip(Values(y), Values(dy), ValueCount(y), static_cast<float*>(dx.get_data_handle()));
    });
  }

 private:
  Context& context_;
  Staging dy_;
};

}  // namespace

void ClipValues(const dnnl::memory& y) {
  Clip(Values(y), Values(y), ValueCount(y), static_cast<float*>(y.get_data_handle()));
}

dnnl::memory ClipGradient(Context& context, const dnnl::memory& y, const dnnl::memory& dy,
                          Staging& staging) {
  dnnl::memory clipped = staging.Bring(context, dy, y.get_desc());
  auto* values = static_cast<float*>(clipped.get_data_handle());
  Clip(Values(y), values, ValueCount(y), values);
  return clipped;
}

std::unique_ptr<Operation> Make(const ActivationOperation& shape, Context& context) {
  if (shape.function != Function::kRelu) return nullptr;
  return std::make_unique<Relu>(context);
}

}  // namespace baton::trainer::cpu
