#include <cstdint>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

// Works on row-major values: which value is dropped must not depend on a layout.
class Dropout : public Operation {
 public:
  Dropout(const DropoutOperation& shape, Context& context)
      : rate_(shape.rate), size_(ElementCount(shape.shape)), context_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("dropout", [&] {
      if (arguments.pass == Pass::kTrain) {
        DrawFactors(arguments.count * size_, arguments.stream);
      } else {
        factors_.assign(arguments.count * size_, 1.0f);
      }
      Multiply(arguments.count, Cpu(arguments.x[0]), x_, Cpu(arguments.y));
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("dropout", [&] {
      Multiply(arguments.count, Cpu(arguments.dy), dy_, Cpu(arguments.dx[0]));
    });
  }

 private:
  void DrawFactors(int64_t count, RandomStream stream) {
    const float kept = 1.0f / (1.0f - rate_);
    factors_.resize(count);
    for (int64_t i = 0; i < count; i += 4) {
      const PhiloxCounter bits = stream.Block(i / 4);
      for (int64_t j = i; j < std::min(i + 4, count); ++j) {
        factors_[j] = RandomStream::ToUnit(bits[j - i]) >= rate_ ? kept : 0.0f;
      }
    }
  }

  void Multiply(int64_t count, const CpuTensor& in, Staging& staging, CpuTensor& out) {
    const dnnl::memory::desc plain = in.PlainDesc(count);
    const dnnl::memory from = staging.Bring(context_, in.memory(), plain);
    const dnnl::memory& to = out.Write(plain, context_.engine);
    const auto* x = static_cast<const float*>(from.get_data_handle());
    auto* y = static_cast<float*>(to.get_data_handle());
    for (size_t i = 0; i < factors_.size(); ++i) y[i] = x[i] * factors_[i];
  }

  float rate_;
  int64_t size_;
  Context& context_;
  std::vector<float> factors_;  // of the last Forward
  Staging x_, dy_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DropoutOperation& shape, Context& context) {
  return std::make_unique<Dropout>(shape, context);
}

}  // namespace baton::trainer::cpu
