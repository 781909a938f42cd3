#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/weighted.h"

namespace baton::trainer::cpu {

namespace {

// In oneDNN's words, where a dilation of 0 is none.
struct Geometry {
  explicit Geometry(const ConvOperation& shape)
      : strides{shape.stride.height, shape.stride.width},
        dilates{shape.dilation.height - 1, shape.dilation.width - 1},
        padding{shape.padding.height, shape.padding.width} {}

  dnnl::memory::dims strides, dilates, padding;
};

struct ConvTraits {
  using Shape = ConvOperation;
  using Forward = dnnl::convolution_forward;
  using BackwardData = dnnl::convolution_backward_data;
  using BackwardWeights = dnnl::convolution_backward_weights;
  static constexpr char kName[] = "convolution";
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

  static dnnl::memory::dims WeightDims(const ConvOperation& shape) {
    const dnnl::memory::dims plain = {shape.out[0], shape.in[0] / shape.groups, shape.kernel.height,
                                      shape.kernel.width};
    if (shape.groups == 1) return plain;
    return {shape.groups, plain[0] / shape.groups, plain[1], plain[2], plain[3]};
  }
  static dnnl::memory::desc SourceDesc(const dnnl::memory::desc& x) {
    return {x.dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
  }
  static Forward::desc ForwardDesc(const ConvOperation& shape, const WeightedDescs& d) {
    const Geometry g(shape);
    return {dnnl::prop_kind::forward_training,
            kAlgorithm,
            d.x,
            d.weight,
            d.bias,
            d.y,
            g.strides,
            g.dilates,
            g.padding,
            g.padding};
  }
  static BackwardData::desc BackwardDataDesc(const ConvOperation& shape, const WeightedDescs& d) {
    const Geometry g(shape);
    return {kAlgorithm, d.x, d.weight, d.y, g.strides, g.dilates, g.padding, g.padding};
  }
  static BackwardWeights::desc BackwardWeightsDesc(const ConvOperation& shape,
                                                   const WeightedDescs& d) {
    const Geometry g(shape);
    return {kAlgorithm, d.x, d.weight, d.bias, d.y, g.strides, g.dilates, g.padding, g.padding};
  }
};

}  // namespace

std::unique_ptr<Operation> Make(const ConvOperation& shape, Context& context) {
  return std::make_unique<Weighted<ConvTraits>>(shape, context);
}

}  // namespace baton::trainer::cpu
