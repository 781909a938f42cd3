#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/statistics.h"
#include "trainer/backend/cpu/weighted.h"

namespace baton::trainer::cpu {

namespace {

// Of images, by oneDNN, whose "scale and shift" lie as our weight and bias, and whose variance is
// the biased one.
class BatchNorm : public Operation {
 public:
  BatchNorm(const BatchNormOperation& shape, Context& context)
      : shape_(shape),
        channels_(shape.shape[0]),
        area_(ElementCount(shape.shape) / channels_),
        context_(context),
        statistics_(shape) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("batch norm", [&] {
      const bool own = statistics_.AreOwn(arguments.pass);
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      PlanCache<Plan>& plans = own ? own_plans_ : running_plans_;
      Plan& plan = plans.Get(arguments.count, x.get_desc(), [&] {
        return std::make_unique<Plan>(ForwardDesc(x.get_desc(), own));
      });
      if (!own) statistics_.TakeRunning(arguments.weights);
      const auto& desc = plan.forward.desc;
      const dnnl::memory& y = Cpu(arguments.y).Write(desc.dst_desc(), context_.engine);
      context_.Run(plan.forward.primitive, desc.scratchpad_desc(),
                   {{DNNL_ARG_SRC, x},
                    {DNNL_ARG_SCALE_SHIFT, ScaleShift(arguments.weights)},
                    {DNNL_ARG_MEAN, ByChannel(statistics_.mean)},
                    {DNNL_ARG_VARIANCE, ByChannel(statistics_.variance)},
                    {DNNL_ARG_DST, y}});
      if (shape_.activation == Activation::kRelu) ClipValues(y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("batch norm", [&] {
      Plan& plan = (shape_.frozen ? running_plans_ : own_plans_).Last(arguments.count);
      if (!plan.backward) plan.backward.emplace(BackwardDesc(plan));
      const auto& desc = plan.backward->desc;
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      dnnl::memory dy = Cpu(arguments.dy).memory();
      if (shape_.activation == Activation::kRelu) {
        dy = ClipGradient(context_, Cpu(arguments.y).memory(), dy, plan.clip);
      }
      // dx comes with dw and db: where nobody wants it, it goes where nobody looks.
      const size_t bytes = desc.diff_src_desc().get_size();
      const dnnl::memory dx =
          arguments.dx[0] == nullptr
              ? dnnl::memory(desc.diff_src_desc(), context_.engine, context_.scratch.Take(bytes))
              : Cpu(arguments.dx[0]).Write(desc.diff_src_desc(), context_.engine);
      context_.Run(plan.backward->primitive, desc.scratchpad_desc(),
                   {{DNNL_ARG_SRC, x},
                    {DNNL_ARG_DIFF_DST, plan.dy.Bring(context_, dy, desc.diff_dst_desc())},
                    {DNNL_ARG_SCALE_SHIFT, ScaleShift(arguments.weights)},
                    {DNNL_ARG_MEAN, ByChannel(statistics_.mean)},
                    {DNNL_ARG_VARIANCE, ByChannel(statistics_.variance)},
                    {DNNL_ARG_DIFF_SRC, dx},
                    {DNNL_ARG_DIFF_SCALE_SHIFT, ScaleShift(arguments.weights_gradient)}});
      statistics_.WriteGradient(arguments, arguments.count * area_);
    });
  }

 private:
  using Forwards = dnnl::batch_normalization_forward;
  using Backwards = dnnl::batch_normalization_backward;

  struct Plan {
    explicit Plan(const Forwards::primitive_desc& desc) : forward(desc) {}

    dnnl::memory::desc x_desc;  // as it arrives, and as y and the gradients lie
    Bound<Forwards> forward;
    std::optional<Bound<Backwards>> backward;
    Staging dy, clip;
  };

  // With own statistics in training; the frozen layer trains with the running ones.
  static dnnl::normalization_flags Flags(bool own) {
    const auto flags = dnnl::normalization_flags::use_scale_shift;
    return own ? flags : flags | dnnl::normalization_flags::use_global_stats;
  }
  Forwards::primitive_desc ForwardDesc(const dnnl::memory::desc& x, bool own) const {
    return {{dnnl::prop_kind::forward_training, x, shape_.epsilon, Flags(own)},
            Attributes(),
            context_.engine};
  }
  Backwards::primitive_desc BackwardDesc(const Plan& plan) const {
    return {{dnnl::prop_kind::backward, plan.x_desc, plan.x_desc, shape_.epsilon,
             Flags(!shape_.frozen)},
            Attributes(),
            context_.engine,
            plan.forward.desc};
  }

  dnnl::memory ScaleShift(const float* weights) const {
    return {PlainDesc({2, channels_}), context_.engine, const_cast<float*>(weights)};
  }
  dnnl::memory ByChannel(std::vector<float>& values) const {
    return {PlainDesc({channels_}), context_.engine, values.data()};
  }

  BatchNormOperation shape_;
  int64_t channels_, area_;
  Context& context_;
  Statistics statistics_;
  PlanCache<Plan> own_plans_, running_plans_;  // by whose statistics
};

}  // namespace

std::unique_ptr<Operation> Make(const BatchNormOperation& shape, Context& context) {
  if (shape.shape.size() == 1) return MakeBatchNormOfVector(shape, context);
  return std::make_unique<BatchNorm>(shape, context);
}

}  // namespace baton::trainer::cpu
