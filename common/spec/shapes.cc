#include "common/spec/shapes.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace baton::spec {
namespace {

// 8 GiB of float32. Larger tensors need models that are spread over ranks, which no trainer of ours
// does; it also keeps every product below within int64_t.
constexpr int64_t kElementsMax = int64_t{1} << 31;

// Cells along one axis, or an error that says what is too small.
absl::StatusOr<int64_t> Window(int64_t in, int64_t kernel, int64_t stride, int64_t padding) {
  if (kernel < 1 || stride < 1 || padding < 0) {
    return absl::InvalidArgumentError("kernel and stride must be at least 1, padding at least 0");
  }
  if (kernel > kElementsMax || stride > kElementsMax || padding > kElementsMax) {
    return absl::InvalidArgumentError("kernel, stride or padding is far too large");
  }
  if (kernel > in + 2 * padding) {
    return absl::InvalidArgumentError(
        absl::StrCat("a kernel of ", kernel, " is larger than its input of ", in, " with padding ",
                     padding, "; make the kernel smaller or pad more"));
  }
  return (in + 2 * padding - kernel) / stride + 1;
}

absl::Status NeedsImage(const Shape& in) {
  if (in.size() == 3) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("needs channels x height x width but its input is ", ShapeText(in),
                   "; move it before the flatten"));
}

struct OutputOf {
  const Shape& in;

  absl::StatusOr<Shape> operator()(const Conv& conv) const {
    BATON_RETURN_IF_ERROR(NeedsImage(in));
    if (conv.out < 1) return absl::InvalidArgumentError("out must be at least 1");
    BATON_ASSIGN_OR_RETURN(int64_t height, Window(in[1], conv.kernel, conv.stride, conv.padding));
    BATON_ASSIGN_OR_RETURN(int64_t width, Window(in[2], conv.kernel, conv.stride, conv.padding));
    return Shape{conv.out, height, width};
  }

  absl::StatusOr<Shape> operator()(const MaxPool& pool) const {
    BATON_RETURN_IF_ERROR(NeedsImage(in));
    if (2 * pool.padding > pool.kernel) {
      return absl::InvalidArgumentError(absl::StrCat("padding ", pool.padding,
                                                     " is more than half of the kernel of ",
                                                     pool.kernel, "; pad less"));
    }
    BATON_ASSIGN_OR_RETURN(int64_t height, Window(in[1], pool.kernel, pool.stride, pool.padding));
    BATON_ASSIGN_OR_RETURN(int64_t width, Window(in[2], pool.kernel, pool.stride, pool.padding));
    return Shape{in[0], height, width};
  }

  absl::StatusOr<Shape> operator()(const Relu&) const { return in; }

  absl::StatusOr<Shape> operator()(const Flatten&) const { return Shape{ElementCount(in)}; }

  absl::StatusOr<Shape> operator()(const Dense& dense) const {
    if (in.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat("needs a flat input but gets ", ShapeText(in),
                                                     "; put `- flatten` before it"));
    }
    if (dense.out < 1) return absl::InvalidArgumentError("out must be at least 1");
    return Shape{dense.out};
  }

  absl::StatusOr<Shape> operator()(const Dropout&) const { return in; }
};

absl::Status Bounded(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 1 || extent > kElementsMax / product) {
      return absl::InvalidArgumentError(
          absl::StrCat("a tensor of ", ShapeText(shape), " is too large; make it smaller"));
    }
    product *= extent;
  }
  return absl::OkStatus();
}

}  // namespace

int64_t ElementCount(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::string ShapeText(const Shape& shape) { return absl::StrJoin(shape, " x "); }

absl::StatusOr<Shape> OutputShape(const LayerOp& op, const Shape& in) {
  BATON_RETURN_IF_ERROR(Bounded(in));
  BATON_ASSIGN_OR_RETURN(Shape out, std::visit(OutputOf{in}, op));
  BATON_RETURN_IF_ERROR(Bounded(out));
  if (const Conv* conv = std::get_if<Conv>(&op)) {
    BATON_RETURN_IF_ERROR(Bounded({conv->out, in[0], conv->kernel, conv->kernel}));
  }
  if (std::holds_alternative<Dense>(op)) BATON_RETURN_IF_ERROR(Bounded({out[0], in[0]}));
  return out;
}

absl::StatusOr<std::vector<LayerShape>> InferShapes(const Model& model) {
  std::vector<LayerShape> shapes;
  Shape in = model.input;
  for (const Layer& layer : model.layers) {
    absl::StatusOr<Shape> out = OutputShape(layer.op, in);
    if (!out.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", layer.name, ": ", out.status().message()));
    }
    shapes.push_back({in, *out});
    in = *std::move(out);
  }
  return shapes;
}

absl::StatusOr<std::vector<Parameter>> Parameters(const Model& model) {
  BATON_ASSIGN_OR_RETURN(const std::vector<LayerShape> shapes, InferShapes(model));
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = model.layers[i];
    const Shape& in = shapes[i].in;
    Shape weight;
    if (const Conv* conv = std::get_if<Conv>(&layer.op)) {
      weight = {conv->out, in[0], conv->kernel, conv->kernel};
    } else if (const Dense* dense = std::get_if<Dense>(&layer.op)) {
      weight = {dense->out, in[0]};
    } else {
      continue;
    }
    const int64_t fan_in = ElementCount(weight) / weight[0];
    parameters.push_back({absl::StrCat(layer.name, ".weight"), weight, fan_in, i});
    parameters.push_back({absl::StrCat(layer.name, ".bias"), {weight[0]}, fan_in, i});
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
