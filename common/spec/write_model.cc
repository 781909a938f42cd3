// A model as canonical YAML.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/text.h"
#include "common/spec/write.h"

namespace baton::spec {
namespace {

std::string Text(const Extent& extent) {
  if (extent.height == extent.width) return absl::StrCat(extent.height);
  return absl::StrCat("[", extent.height, ", ", extent.width, "]");
}

const char* Text(bool flag) { return flag ? "true" : "false"; }

template <class Pool>
std::string WindowText(const Pool& pool) {
  return absl::StrCat("kernel: ", Text(pool.kernel), ", stride: ", Text(pool.stride),
                      ", padding: ", Text(pool.padding));
}

// The fields of a layer, without braces.
struct Fields {
  std::string operator()(const Conv& conv) const {
    return absl::StrCat("out: ", conv.out, ", ", WindowText(conv),
                        conv.dilation == Extent(1) ? "" : ", dilation: " + Text(conv.dilation),
                        conv.groups == 1 ? "" : absl::StrCat(", groups: ", conv.groups),
                        conv.bias ? "" : ", bias: false");
  }
  std::string operator()(const MaxPool& pool) const { return WindowText(pool); }
  std::string operator()(const AvgPool& pool) const {
    return absl::StrCat(WindowText(pool), ", count_padding: ", Text(pool.count_padding));
  }
  std::string operator()(const GlobalPool& pool) const {
    return pool.kind == GlobalPool::Kind::kMax ? "kind: max" : "kind: average";
  }
  std::string operator()(const BatchNorm& norm) const {
    return absl::StrCat("epsilon: ", NumberText(norm.epsilon),
                        ", momentum: ", NumberText(norm.momentum));
  }
  std::string operator()(const LayerNorm& norm) const {
    return absl::StrCat("epsilon: ", NumberText(norm.epsilon));
  }
  std::string operator()(const Activation& activation) const {
    const bool sloped = activation.kind == Activation::Kind::kElu ||
                        activation.kind == Activation::Kind::kLeakyRelu;
    return sloped ? absl::StrCat("slope: ", NumberText(activation.slope)) : "";
  }
  std::string operator()(const Reshape& reshape) const {
    return absl::StrCat("to: [", absl::StrJoin(reshape.to, ", "), "]");
  }
  std::string operator()(const Dense& dense) const {
    return absl::StrCat("out: ", dense.out, dense.bias ? "" : ", bias: false");
  }
  std::string operator()(const Dropout& dropout) const {
    return absl::StrCat("rate: ", NumberText(dropout.rate));
  }
  std::string operator()(const Embedding& embedding) const {
    return absl::StrCat("vocabulary: ", embedding.vocabulary, ", width: ", embedding.width,
                        embedding.sparse ? ", sparse: true" : "",
                        embedding.mapped ? ", storage: mmap" : "");
  }
  std::string operator()(const Recurrent& recurrent) const {
    return absl::StrCat("hidden: ", recurrent.hidden);
  }
  std::string operator()(const Attention& attention) const {
    return absl::StrCat("heads: ", attention.heads, ", causal: ", Text(attention.causal));
  }
  template <class WithoutFields>
  std::string operator()(const WithoutFields&) const {
    return "";
  }
};

std::string InputsText(const Model& model) {
  if (model.inputs.size() == 1 && model.inputs[0].name == kModelInput) {
    return absl::StrCat("  input: [", absl::StrJoin(model.inputs[0].shape, ", "), "]\n");
  }
  std::vector<std::string> inputs;
  for (const ModelInput& input : model.inputs) {
    inputs.push_back(absl::StrCat(input.name, ": [", absl::StrJoin(input.shape, ", "), "]"));
  }
  return absl::StrCat("  inputs: {", absl::StrJoin(inputs, ", "), "}\n");
}

}  // namespace

std::string ModelText(const Model& model) {
  std::string out = absl::StrCat("model:\n", InputsText(model),
                                 "  divide_by: ", NumberText(model.divide_by), "\n  layers:\n");
  for (const Layer& layer : model.layers) {
    absl::StrAppend(&out, "    - {name: ", layer.name, ", inputs: [",
                    absl::StrJoin(layer.inputs, ", "), "], ", layer.frozen ? "frozen: true, " : "",
                    KindName(layer.op), ": {", std::visit(Fields{}, layer.op), "}}\n");
  }
  absl::StrAppend(&out, "  loss: ", LossName(model.loss), "\n");
  if (!model.class_weights.empty()) {
    std::vector<std::string> weights;
    for (const double weight : model.class_weights) weights.push_back(NumberText(weight));
    absl::StrAppend(&out, "  class_weights: [", absl::StrJoin(weights, ", "), "]\n");
  }
  absl::StrAppend(&out, "  initialization: ", InitializationName(model.initialization), "\n");
  // Left out by default, so that the checkpoints of before have the same text.
  if (model.precision != Precision::kFloat32) {
    absl::StrAppend(&out, "  precision: ", PrecisionName(model.precision), "\n");
  }
  return out;
}

}  // namespace baton::spec
