#include <memory>
#include <optional>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/weighted.h"

namespace baton::trainer::cpu {

namespace {

class AvgPool : public Operation {
 public:
  AvgPool(const AvgPoolOperation& shape, Context& context) : shape_(shape), context_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("average pooling", [&] {
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      Plan& plan = plans_.Get(arguments.count, x.get_desc(), [&] {
        return std::make_unique<Plan>(*this, arguments.count, x.get_desc());
      });
      const auto& desc = plan.forward.desc;
      const dnnl::memory& y = Cpu(arguments.y).Write(desc.dst_desc(), context_.engine);
      context_.Run(plan.forward.primitive, desc.scratchpad_desc(),
                   {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("average pooling", [&] {
      Plan& plan = plans_.Last(arguments.count);
      if (!plan.backward) plan.backward.emplace(BackwardDesc(plan));
      const auto& desc = plan.backward->desc;
      const dnnl::memory& dy = Cpu(arguments.dy).memory();
      context_.Run(
          plan.backward->primitive, desc.scratchpad_desc(),
          {{DNNL_ARG_DIFF_DST, plan.dy.Bring(context_, dy, desc.diff_dst_desc())},
           {DNNL_ARG_DIFF_SRC, Cpu(arguments.dx[0]).Write(desc.diff_src_desc(), context_.engine)}});
    });
  }

 private:
  using Forwards = dnnl::pooling_forward;
  using Backwards = dnnl::pooling_backward;

  struct Plan {
    Plan(const AvgPool& pool, int64_t count, const dnnl::memory::desc& x)
        : forward(pool.ForwardDesc(count, x)) {}

    dnnl::memory::desc x_desc;  // as it arrives, and as the gradient leaves
    Bound<Forwards> forward;
    std::optional<Bound<Backwards>> backward;
    Staging dy;
  };

  dnnl::algorithm Algorithm() const {
    return shape_.count_padding ? dnnl::algorithm::pooling_avg_include_padding
                                : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  static dnnl::memory::dims Dims(const Extent& extent) { return {extent.height, extent.width}; }

  Forwards::primitive_desc ForwardDesc(int64_t count, const dnnl::memory::desc& x) const {
    const dnnl::memory::desc y({count, shape_.out[0], shape_.out[1], shape_.out[2]},
                               dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    return {{dnnl::prop_kind::forward_training, Algorithm(), x, y, Dims(shape_.stride),
             Dims(shape_.kernel), Dims(shape_.padding), Dims(shape_.padding)},
            Attributes(),
            context_.engine};
  }
  Backwards::primitive_desc BackwardDesc(const Plan& plan) const {
    return {{Algorithm(), plan.x_desc, plan.forward.desc.dst_desc(), Dims(shape_.stride),
             Dims(shape_.kernel), Dims(shape_.padding), Dims(shape_.padding)},
            Attributes(),
            context_.engine,
            plan.forward.desc};
  }

  AvgPoolOperation shape_;
  Context& context_;
  PlanCache<Plan> plans_;
};

}  // namespace

std::unique_ptr<Operation> Make(const AvgPoolOperation& shape, Context& context) {
  return std::make_unique<AvgPool>(shape, context);
}

}  // namespace baton::trainer::cpu
