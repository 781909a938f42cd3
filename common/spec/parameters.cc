// The tensors of each layer, as the PyTorch module that it stands for lists them.
#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::spec {
namespace {

struct ParametersOf {
  const LayerShape& shape;
  std::vector<Parameter> all = {};

  const Shape& in() const { return shape.in[0]; }
  void Add(const char* name, Shape extents, int64_t fan_in, int64_t fan_out, Start start,
           bool is_bias = false) {
    Parameter parameter;
    parameter.name = name;
    parameter.shape = std::move(extents);
    parameter.fan_in = fan_in;
    parameter.fan_out = fan_out;
    parameter.start = start;
    parameter.is_bias = is_bias;
    all.push_back(std::move(parameter));
  }
  void AddNorm(int64_t width) {
    Add("weight", {width}, 1, 1, Start::kOnes);
    Add("bias", {width}, 1, 1, Start::kZeros);
  }

  void operator()(const Conv& conv) {
    const int64_t area = conv.kernel.height * conv.kernel.width;
    const int64_t fan_in = in()[0] / conv.groups * area;
    const int64_t fan_out = conv.out / conv.groups * area;
    Add("weight", {conv.out, in()[0] / conv.groups, conv.kernel.height, conv.kernel.width}, fan_in,
        fan_out, Start::kUniform);
    if (conv.bias) Add("bias", {conv.out}, fan_in, fan_out, Start::kUniform, true);
  }
  void operator()(const Dense& dense) {
    Add("weight", {dense.out, in().back()}, in().back(), dense.out, Start::kUniform);
    if (dense.bias) Add("bias", {dense.out}, in().back(), dense.out, Start::kUniform, true);
  }
  void operator()(const BatchNorm&) {
    AddNorm(in()[0]);
    Add("running_mean", {in()[0]}, 1, 1, Start::kZeros);
    Add("running_var", {in()[0]}, 1, 1, Start::kOnes);
    for (size_t i = 2; i < 4; ++i) all[i].trained = false;
  }
  void operator()(const LayerNorm&) { AddNorm(in().back()); }
  void operator()(const Embedding& embedding) {
    Add("weight", {embedding.vocabulary, embedding.width}, embedding.vocabulary, embedding.width,
        Start::kNormal);
    all.back().sparse = embedding.sparse;
  }
  void operator()(const Position&) { Add("weight", in(), in()[0], in()[1], Start::kNormal); }
  // PyTorch draws all four from (-b, b), b = 1 / sqrt(hidden).
  void operator()(const Recurrent& recurrent) {
    const int64_t gates = recurrent.kind == Recurrent::Kind::kLstm ? 4 : 3;
    const int64_t hidden = recurrent.hidden;
    Add("weight_ih_l0", {gates * hidden, in()[1]}, hidden, gates * hidden, Start::kUniform);
    Add("weight_hh_l0", {gates * hidden, hidden}, hidden, gates * hidden, Start::kUniform);
    Add("bias_ih_l0", {gates * hidden}, hidden, gates * hidden, Start::kUniform, true);
    Add("bias_hh_l0", {gates * hidden}, hidden, gates * hidden, Start::kUniform, true);
  }
  void operator()(const Attention&) {
    const int64_t width = in()[1];
    Add("in_proj_weight", {3 * width, width}, width, 3 * width, Start::kXavierUniform);
    Add("in_proj_bias", {3 * width}, width, 3 * width, Start::kZeros, true);
    Add("out_proj.weight", {width, width}, width, width, Start::kUniform);
    Add("out_proj.bias", {width}, width, width, Start::kZeros, true);
  }
  template <class WithoutParameters>
  void operator()(const WithoutParameters&) {}
};

}  // namespace

absl::StatusOr<std::vector<Parameter>> Parameters(const Model& model) {
  BATON_ASSIGN_OR_RETURN(const std::vector<LayerShape> shapes, InferShapes(model));
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    ParametersOf own{shapes[i]};
    std::visit(own, model.layers[i].op);
    for (Parameter& parameter : own.all) {
      parameter.name = absl::StrCat(model.layers[i].name, ".", parameter.name);
      parameter.layer = i;
      parameters.push_back(std::move(parameter));
    }
  }
  return parameters;
}

absl::StatusOr<int64_t> ParameterCount(const Model& model) {
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, Parameters(model));
  int64_t count = 0;
  for (const Parameter& parameter : parameters) count += ElementCount(parameter.shape);
  return count;
}

}  // namespace baton::spec
