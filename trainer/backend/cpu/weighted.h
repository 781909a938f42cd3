// Convolution and dense alike: y = activation(x * w + b) with a pass for dx and one for dw and db.
// `Traits` names oneDNN's three primitives and makes their descriptors.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "trainer/backend/cpu/context.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/staging.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

// Layouts of the four tensors: `any` where the primitive may choose.
struct WeightedDescs {
  dnnl::memory::desc x, weight, bias, y;
};

// A primitive with what it takes to run it.
template <class Primitive>
struct Bound {
  explicit Bound(const typename Primitive::primitive_desc& d) : desc(d), primitive(d) {}
  typename Primitive::primitive_desc desc;
  Primitive primitive;
};

template <class Traits>
class Weighted : public Operation {
 public:
  Weighted(const typename Traits::Shape& shape, Context& context)
      : shape_(shape),
        context_(context),
        weight_count_(ParameterCount(shape) - (shape.bias ? shape.out[0] : 0)) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded(Traits::kName, [&] {
      const dnnl::memory& x = Cpu(arguments.x[0]).memory();
      Plan& plan = plans_.Get(arguments.count, x.get_desc(), [&] {
        return std::make_unique<Plan>(MakeDescs(arguments.count, x.get_desc()), shape_, context_);
      });
      RunForward(plan, arguments, x);
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded(Traits::kName, [&] {
      Plan& plan = plans_.Last(arguments.count);
      dnnl::memory dy = Cpu(arguments.dy).memory();
      if (shape_.activation == Activation::kRelu) {
        dy = ClipGradient(context_, Cpu(arguments.y).memory(), dy, plan.clip);
      }
      RunBackwardWeights(plan, arguments, dy);
      if (arguments.dx[0] != nullptr) RunBackwardData(plan, arguments, dy);
    });
  }

 private:
  // The backward primitives are made when they are first needed: evaluation does without.
  struct Plan {
    Plan(const WeightedDescs& d, const typename Traits::Shape& shape, Context& context)
        : descs(d),
          forward(typename Traits::Forward::primitive_desc(Traits::ForwardDesc(shape, descs),
                                                           AttributesWith(shape.activation),
                                                           context.engine)) {}

    dnnl::memory::desc x_desc;  // as it arrives
    WeightedDescs descs;
    Bound<typename Traits::Forward> forward;
    std::optional<Bound<typename Traits::BackwardData>> backward_data;
    std::optional<Bound<typename Traits::BackwardWeights>> backward_weights;
    Staging x, weight, weight_for_data, x_for_weights, dy_for_weights, dy_for_data, dw, clip;
  };

  WeightedDescs MakeDescs(int64_t count, const dnnl::memory::desc& x_desc) const {
    const auto any = dnnl::memory::format_tag::any;
    const auto f32 = dnnl::memory::data_type::f32;
    dnnl::memory::dims y{count};
    y.insert(y.end(), shape_.out.begin(), shape_.out.end());
    return {Traits::SourceDesc(x_desc),
            {Traits::WeightDims(shape_), f32, any},
            shape_.bias ? PlainDesc({shape_.out[0]}) : dnnl::memory::desc(),
            {y, f32, any}};
  }

  // The caller's row-major weights and bias as they lie.
  dnnl::memory PlainWeight(const float* weights) const {
    return {PlainDesc(Traits::WeightDims(shape_)), context_.engine, const_cast<float*>(weights)};
  }
  void AddBias(int argument, const float* weights,
               std::unordered_map<int, dnnl::memory>* arguments) const {
    if (!shape_.bias) return;
    (*arguments)[argument] = {PlainDesc({shape_.out[0]}), context_.engine,
                              const_cast<float*>(weights) + weight_count_};
  }

  void RunForward(Plan& plan, const ForwardArguments& arguments, const dnnl::memory& x) {
    const auto& desc = plan.forward.desc;
    const dnnl::memory weight =
        plan.weight.Bring(context_, PlainWeight(arguments.weights), desc.weights_desc());
    const dnnl::memory& y = Cpu(arguments.y).Write(desc.dst_desc(), context_.engine);
    std::unordered_map<int, dnnl::memory> all = {
        {DNNL_ARG_SRC, plan.x.Bring(context_, x, desc.src_desc())},
        {DNNL_ARG_WEIGHTS, weight},
        {DNNL_ARG_DST, y}};
    AddBias(DNNL_ARG_BIAS, arguments.weights, &all);
    context_.Run(plan.forward.primitive, desc.scratchpad_desc(), std::move(all));
  }

  void RunBackwardWeights(Plan& plan, const BackwardArguments& arguments, const dnnl::memory& dy) {
    if (!plan.backward_weights) {
      plan.backward_weights.emplace(typename Traits::BackwardWeights::primitive_desc(
          Traits::BackwardWeightsDesc(shape_, plan.descs), Attributes(), context_.engine,
          plan.forward.desc));
    }
    const auto& desc = plan.backward_weights->desc;
    const dnnl::memory target = PlainWeight(arguments.weights_gradient);
    const dnnl::memory dw = plan.dw.Prepare(context_, target, desc.diff_weights_desc());
    const dnnl::memory& x = Cpu(arguments.x[0]).memory();
    std::unordered_map<int, dnnl::memory> all = {
        {DNNL_ARG_SRC, plan.x_for_weights.Bring(context_, x, desc.src_desc())},
        {DNNL_ARG_DIFF_DST, plan.dy_for_weights.Bring(context_, dy, desc.diff_dst_desc())},
        {DNNL_ARG_DIFF_WEIGHTS, dw}};
    AddBias(DNNL_ARG_DIFF_BIAS, arguments.weights_gradient, &all);
    context_.Run(plan.backward_weights->primitive, desc.scratchpad_desc(), std::move(all));
    plan.dw.Deliver(context_, dw, target);
  }

  void RunBackwardData(Plan& plan, const BackwardArguments& arguments, const dnnl::memory& dy) {
    if (!plan.backward_data) {
      plan.backward_data.emplace(typename Traits::BackwardData::primitive_desc(
          Traits::BackwardDataDesc(shape_, plan.descs), Attributes(), context_.engine,
          plan.forward.desc));
    }
    const auto& desc = plan.backward_data->desc;
    const dnnl::memory weight =
        plan.weight_for_data.Bring(context_, PlainWeight(arguments.weights), desc.weights_desc());
    const dnnl::memory& dx = Cpu(arguments.dx[0]).Write(desc.diff_src_desc(), context_.engine);
    context_.Run(plan.backward_data->primitive, desc.scratchpad_desc(),
                 {{DNNL_ARG_DIFF_DST, plan.dy_for_data.Bring(context_, dy, desc.diff_dst_desc())},
                  {DNNL_ARG_WEIGHTS, weight},
                  {DNNL_ARG_DIFF_SRC, dx}});
  }

  typename Traits::Shape shape_;
  Context& context_;
  int64_t weight_count_;
  PlanCache<Plan> plans_;
};

}  // namespace baton::trainer::cpu
