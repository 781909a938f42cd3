#include <optional>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

namespace {

class MaxPool : public Operation {
 public:
  MaxPool(const MaxPoolOperation& shape, Context& context) : shape_(shape), context_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("max pooling", [&] {
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      Plan& plan = plans_.Get(arguments.count, x.get_desc(), [&] {
        return std::make_unique<Plan>(*this, arguments.count, x.get_desc());
      });
      const auto& desc = plan.forward_desc;
      plan.workspace = dnnl::memory(desc.workspace_desc(), context_.engine,
                                    workspace_.Reserve(desc.workspace_desc().get_size()));
      const dnnl::memory& y = Cpu(arguments.y).Write(desc.dst_desc(), context_.engine);
      context_.Run(plan.forward, desc.scratchpad_desc(),
                   {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}, {DNNL_ARG_WORKSPACE, plan.workspace}});
      if (shape_.activation == Activation::kRelu) ClipValues(y);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("max pooling", [&] {
      Plan& plan = plans_.Last(arguments.count);
      if (!plan.backward) {
        plan.backward_desc = dnnl::pooling_backward::primitive_desc(
            {dnnl::algorithm::pooling_max, plan.x_desc, plan.forward_desc.dst_desc(), plan.strides,
             plan.kernel, plan.padding, plan.padding},
            Attributes(), context_.engine, plan.forward_desc);
        plan.backward = dnnl::pooling_backward(plan.backward_desc);
      }
      const auto& desc = plan.backward_desc;
      dnnl::memory dy = Cpu(arguments.dy).memory();
      if (shape_.activation == Activation::kRelu) {
        dy = ClipGradient(context_, Cpu(arguments.y).memory(), dy, plan.clip);
      }
      context_.Run(
          plan.backward, desc.scratchpad_desc(),
          {{DNNL_ARG_DIFF_DST, plan.dy.Bring(context_, dy, desc.diff_dst_desc())},
           {DNNL_ARG_WORKSPACE, plan.workspace},
           {DNNL_ARG_DIFF_SRC, Cpu(arguments.dx[0]).Write(desc.diff_src_desc(), context_.engine)}});
    });
  }

 private:
  struct Plan {
    Plan(const MaxPool& pool, int64_t count, const dnnl::memory::desc& x)
        : strides{pool.shape_.stride.height, pool.shape_.stride.width},
          kernel{pool.shape_.kernel.height, pool.shape_.kernel.width},
          padding{pool.shape_.padding.height, pool.shape_.padding.width} {
      const dnnl::memory::dims y{count, pool.shape_.out[0], pool.shape_.out[1], pool.shape_.out[2]};
      const dnnl::memory::desc y_desc(y, dnnl::memory::data_type::f32,
                                      dnnl::memory::format_tag::any);
      forward_desc = dnnl::pooling_forward::primitive_desc(
          {dnnl::prop_kind::forward_training, dnnl::algorithm::pooling_max, x, y_desc, strides,
           kernel, padding, padding},
          Attributes(), pool.context_.engine);
      forward = dnnl::pooling_forward(forward_desc);
    }

    dnnl::memory::desc x_desc;  // as it arrives, and as the gradient leaves
    dnnl::memory::dims strides, kernel, padding;
    dnnl::pooling_forward::primitive_desc forward_desc;
    dnnl::pooling_forward forward;
    dnnl::pooling_backward::primitive_desc backward_desc;
    dnnl::pooling_backward backward;
    dnnl::memory workspace;  // where each largest value lay
    Staging dy, clip;
  };

  MaxPoolOperation shape_;
  Context& context_;
  Buffer workspace_;
  PlanCache<Plan> plans_;
};

}  // namespace

std::unique_ptr<Operation> Make(const MaxPoolOperation& shape, Context& context) {
  return std::make_unique<MaxPool>(shape, context);
}

}  // namespace baton::trainer::cpu
