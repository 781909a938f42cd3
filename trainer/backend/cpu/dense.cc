#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/weighted.h"

namespace baton::trainer::cpu {

namespace {

struct DenseTraits {
  using Shape = DenseOperation;
  using Forward = dnnl::inner_product_forward;
  using BackwardData = dnnl::inner_product_backward_data;
  using BackwardWeights = dnnl::inner_product_backward_weights;
  static constexpr char kName[] = "dense";

  // An image needs no flattening: row-major (O, C, H, W) lies in memory as (O, C * H * W).
  static dnnl::memory::dims WeightDims(const DenseOperation& shape) {
    dnnl::memory::dims dims{shape.out[0]};
    dims.insert(dims.end(), shape.in.begin(), shape.in.end());
    return dims;
  }
  static dnnl::memory::desc SourceDesc(const dnnl::memory::desc& x) {
    return {x.dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
  }
  static Forward::desc ForwardDesc(const DenseOperation&, const WeightedDescs& d) {
    return {dnnl::prop_kind::forward_training, d.x, d.weight, d.bias, d.y};
  }
  static BackwardData::desc BackwardDataDesc(const DenseOperation&, const WeightedDescs& d) {
    return {d.x, d.weight, d.y};
  }
  static BackwardWeights::desc BackwardWeightsDesc(const DenseOperation&, const WeightedDescs& d) {
    return {d.x, d.weight, d.bias, d.y};
  }
};

}  // namespace

std::unique_ptr<Operation> Make(const DenseOperation& shape, Context& context) {
  if (shape.out.size() > 1 || shape.bfloat16) return MakeDenseRows(shape, context);
  return std::make_unique<Weighted<DenseTraits>>(shape, context);
}

}  // namespace baton::trainer::cpu
