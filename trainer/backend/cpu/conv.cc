#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/weighted.h"

namespace baton::trainer::cpu {

namespace {

struct ConvTraits {
  using Shape = ConvOperation;
  using Forward = dnnl::convolution_forward;
  using BackwardData = dnnl::convolution_backward_data;
  using BackwardWeights = dnnl::convolution_backward_weights;
  static constexpr char kName[] = "convolution";
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

  static dnnl::memory::dims WeightDims(const ConvOperation& shape) {
    return {shape.out[0], shape.in[0], shape.kernel, shape.kernel};
  }
  static dnnl::memory::desc SourceDesc(const dnnl::memory::desc& x) {
    return {x.dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
  }
  static Forward::desc ForwardDesc(const ConvOperation& shape, const WeightedDescs& d) {
    const dnnl::memory::dims strides(2, shape.stride), padding(2, shape.padding);
    return {dnnl::prop_kind::forward_training,
            kAlgorithm,
            d.x,
            d.weight,
            d.bias,
            d.y,
            strides,
            padding,
            padding};
  }
  static BackwardData::desc BackwardDataDesc(const ConvOperation& shape, const WeightedDescs& d) {
    const dnnl::memory::dims strides(2, shape.stride), padding(2, shape.padding);
    return {kAlgorithm, d.x, d.weight, d.y, strides, padding, padding};
  }
  static BackwardWeights::desc BackwardWeightsDesc(const ConvOperation& shape,
                                                   const WeightedDescs& d) {
    const dnnl::memory::dims strides(2, shape.stride), padding(2, shape.padding);
    return {kAlgorithm, d.x, d.weight, d.bias, d.y, strides, padding, padding};
  }
};

}  // namespace

std::unique_ptr<Operation> MakeConv(const ConvOperation& shape, Context& context) {
  return std::make_unique<Weighted<ConvTraits>>(shape, context);
}

}  // namespace baton::trainer::cpu
