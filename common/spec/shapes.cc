#include "common/spec/shapes.h"

#include <algorithm>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace baton::spec {
namespace {

// 8 GiB of float32. Larger tensors need models that are spread over ranks, which no trainer of ours
// does; it also keeps every product below within int64_t.
constexpr int64_t kElementsMax = int64_t{1} << 31;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// Cells along one axis, or an error that says what is too small.
absl::StatusOr<int64_t> Window(int64_t in, int64_t kernel, int64_t stride, int64_t padding,
                               int64_t dilation) {
  if (kernel < 1 || stride < 1 || padding < 0 || dilation < 1) {
    return Wrong("kernel, stride and dilation must be at least 1, padding at least 0");
  }
  if (std::max({kernel, stride, padding, dilation}) > (1 << 20)) {
    return Wrong("kernel, stride, padding or dilation is far too large");
  }
  const int64_t reach = dilation * (kernel - 1) + 1;
  if (reach > in + 2 * padding) {
    return Wrong(absl::StrCat("a kernel of ", kernel,
                              dilation > 1 ? absl::StrCat(" with dilation ", dilation) : "",
                              " is larger than its input of ", in, " with padding ", padding,
                              "; make the kernel smaller or pad more"));
  }
  return (in + 2 * padding - reach) / stride + 1;
}

absl::Status NeedsImage(const Shape& in) {
  if (in.size() == 3) return absl::OkStatus();
  return Wrong(absl::StrCat("needs channels x height x width but its input is ", ShapeText(in),
                            "; move it before the flatten"));
}

absl::Status NeedsSequence(const Shape& in) {
  if (in.size() == 2) return absl::OkStatus();
  return Wrong(absl::StrCat("needs a sequence, positions x features, but its input is ",
                            ShapeText(in), "; put an embedding or a reshape before it"));
}

template <class Windowed>
absl::StatusOr<Shape> Cells(const Windowed& op, const Shape& in, int64_t channels,
                            Extent dilation) {
  BATON_ASSIGN_OR_RETURN(const int64_t height, Window(in[1], op.kernel.height, op.stride.height,
                                                      op.padding.height, dilation.height));
  BATON_ASSIGN_OR_RETURN(const int64_t width, Window(in[2], op.kernel.width, op.stride.width,
                                                     op.padding.width, dilation.width));
  return Shape{channels, height, width};
}

template <class Pool>
absl::StatusOr<Shape> Pooled(const Pool& pool, const Shape& in) {
  BATON_RETURN_IF_ERROR(NeedsImage(in));
  if (2 * pool.padding.height > pool.kernel.height || 2 * pool.padding.width > pool.kernel.width) {
    return Wrong(absl::StrCat("padding ", std::max(pool.padding.height, pool.padding.width),
                              " is more than half of the kernel of ",
                              std::min(pool.kernel.height, pool.kernel.width), "; pad less"));
  }
  return Cells(pool, in, in[0], 1);
}

absl::StatusOr<Shape> SameShapes(absl::Span<const Shape> in) {
  for (const Shape& other : in) {
    if (other == in[0]) continue;
    return Wrong(absl::StrCat("needs inputs of one shape but gets ", ShapeText(in[0]), " and ",
                              ShapeText(other)));
  }
  return in[0];
}

struct OutputOf {
  absl::Span<const Shape> all;
  const Shape& in = all[0];

  absl::StatusOr<Shape> operator()(const Conv& conv) const {
    BATON_RETURN_IF_ERROR(NeedsImage(in));
    if (conv.out < 1) return Wrong("out must be at least 1");
    if (conv.groups < 1 || in[0] % conv.groups != 0 || conv.out % conv.groups != 0) {
      return Wrong(absl::StrCat("groups ", conv.groups, " must divide its ", in[0],
                                " input channels and its ", conv.out, " outputs"));
    }
    return Cells(conv, in, conv.out, conv.dilation);
  }
  absl::StatusOr<Shape> operator()(const MaxPool& pool) const { return Pooled(pool, in); }
  absl::StatusOr<Shape> operator()(const AvgPool& pool) const { return Pooled(pool, in); }
  absl::StatusOr<Shape> operator()(const GlobalPool&) const {
    if (in.size() == 3) return Shape{in[0]};
    if (in.size() == 2) return Shape{in[1]};
    return Wrong(absl::StrCat("needs an image or a sequence but its input is ", ShapeText(in)));
  }
  absl::StatusOr<Shape> operator()(const BatchNorm&) const {
    if (in.size() != 2) return in;
    return Wrong(absl::StrCat("needs an image or a vector but its input is ", ShapeText(in),
                              "; use layer_norm on sequences"));
  }
  absl::StatusOr<Shape> operator()(const LayerNorm&) const {
    if (in.size() != 3) return in;
    return Wrong(absl::StrCat("needs a vector or a sequence but its input is ", ShapeText(in),
                              "; use batch_norm on images"));
  }
  absl::StatusOr<Shape> operator()(const Activation&) const { return in; }
  absl::StatusOr<Shape> operator()(const Flatten&) const { return Shape{ElementCount(in)}; }
  absl::StatusOr<Shape> operator()(const Reshape& reshape) const {
    if (!reshape.to.empty() && ElementCount(reshape.to) == ElementCount(in)) return reshape.to;
    return Wrong(absl::StrCat("can't make ", ShapeText(in), " (", ElementCount(in),
                              " values) into ", ShapeText(reshape.to), " (",
                              ElementCount(reshape.to), ")"));
  }
  absl::StatusOr<Shape> operator()(const Dense& dense) const {
    if (in.size() == 3) {
      return Wrong(absl::StrCat("needs a flat input but gets ", ShapeText(in),
                                "; put `- flatten` before it"));
    }
    if (dense.out < 1) return Wrong("out must be at least 1");
    Shape out = in;
    out.back() = dense.out;
    return out;
  }
  absl::StatusOr<Shape> operator()(const Dropout&) const { return in; }
  absl::StatusOr<Shape> operator()(const Embedding& embedding) const {
    if (in.size() != 1) {
      return Wrong(absl::StrCat("needs a row of ids but its input is ", ShapeText(in)));
    }
    if (embedding.vocabulary < 1 || embedding.width < 1) {
      return Wrong("vocabulary and width must be at least 1");
    }
    return Shape{in[0], embedding.width};
  }
  absl::StatusOr<Shape> operator()(const Position&) const {
    BATON_RETURN_IF_ERROR(NeedsSequence(in));
    return in;
  }
  absl::StatusOr<Shape> operator()(const Recurrent& recurrent) const {
    BATON_RETURN_IF_ERROR(NeedsSequence(in));
    if (recurrent.hidden < 1) return Wrong("hidden must be at least 1");
    return Shape{in[0], recurrent.hidden};
  }
  absl::StatusOr<Shape> operator()(const Attention& attention) const {
    BATON_RETURN_IF_ERROR(NeedsSequence(in));
    if (attention.heads >= 1 && in[1] % attention.heads == 0) return in;
    return Wrong(absl::StrCat(attention.heads, " heads can't share ", in[1],
                              " features; make one a multiple of the other"));
  }
  absl::StatusOr<Shape> operator()(const Last&) const {
    BATON_RETURN_IF_ERROR(NeedsSequence(in));
    return Shape{in[1]};
  }
  absl::StatusOr<Shape> operator()(const Concat&) const {
    // Images grow in their first extent, the others in their last.
    const size_t axis = in.size() == 3 ? 0 : in.size() - 1;
    Shape sum = in;
    for (size_t i = 1; i < all.size(); ++i) {
      Shape other = all[i];
      const bool same_rank = other.size() == in.size();
      const int64_t extent = same_rank ? other[axis] : 0;
      if (same_rank) other[axis] = in[axis];
      if (other != in) {
        return Wrong(absl::StrCat("can't put ", ShapeText(all[i]), " beside ", ShapeText(in)));
      }
      sum[axis] += extent;
    }
    return sum;
  }
  absl::StatusOr<Shape> operator()(const Add&) const { return SameShapes(all); }
  absl::StatusOr<Shape> operator()(const Multiply&) const { return SameShapes(all); }
  absl::StatusOr<Shape> operator()(const Dot&) const {
    const Shape& a = all[0];
    const Shape& b = all[1];
    const bool ranks = a.size() <= 2 && b.size() <= 2 && b.size() >= a.size();
    const bool rows = a.size() == 1 || (b.size() == 2 && (a[0] == 1 || a[0] == b[0]));
    if (ranks && rows && a.back() == b.back()) return Shape{b.size() == 2 ? b[0] : 1};
    return Wrong(absl::StrCat("can't multiply ", ShapeText(a), " with ", ShapeText(b),
                              "; give it (D) or (1, D) or (T, D) first and (T, D) or (D) second"));
  }
};

absl::Status Bounded(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 1 || extent > kElementsMax / product) {
      return Wrong(
          absl::StrCat("a tensor of ", ShapeText(shape), " is too large; make it smaller"));
    }
    product *= extent;
  }
  return absl::OkStatus();
}

// Where each name's shape is known.
absl::StatusOr<std::vector<Shape>> InputShapes(const std::map<std::string, Shape>& known,
                                               const Layer& layer, const std::string& previous) {
  std::vector<Shape> shapes;
  const std::vector<std::string> chain = {previous};
  for (const std::string& input : layer.inputs.empty() ? chain : layer.inputs) {
    const auto it = known.find(input);
    if (it == known.end()) {
      return Wrong(absl::StrCat("layer ", layer.name, ": there is no '", input, "' before it"));
    }
    shapes.push_back(it->second);
  }
  return shapes;
}

}  // namespace

int64_t ElementCount(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::string ShapeText(const Shape& shape) { return absl::StrJoin(shape, " x "); }

InputCount InputsOf(const LayerOp& op) {
  if (std::holds_alternative<Dot>(op)) return {2, 2};
  const bool many = std::holds_alternative<Concat>(op) || std::holds_alternative<Add>(op) ||
                    std::holds_alternative<Multiply>(op);
  return many ? InputCount{2, 0} : InputCount{1, 1};
}

absl::StatusOr<Shape> OutputShape(const LayerOp& op, absl::Span<const Shape> in) {
  const InputCount count = InputsOf(op);
  if (in.size() < count.min || (count.max > 0 && in.size() > count.max)) {
    return Wrong(absl::StrCat("takes ", count.min, count.max == 0 ? " or more" : "",
                              count.min == 1 ? " input" : " inputs", " but gets ", in.size()));
  }
  for (const Shape& shape : in) {
    BATON_RETURN_IF_ERROR(Bounded(shape));
    if (shape.empty()) return Wrong("has an input without extents");
  }
  if (const auto* reshape = std::get_if<Reshape>(&op)) {
    BATON_RETURN_IF_ERROR(Bounded(reshape->to));
  }
  BATON_ASSIGN_OR_RETURN(Shape out, std::visit(OutputOf{in}, op));
  BATON_RETURN_IF_ERROR(Bounded(out));
  if (const Conv* conv = std::get_if<Conv>(&op)) {
    BATON_RETURN_IF_ERROR(
        Bounded({conv->out, in[0][0] / conv->groups, conv->kernel.height, conv->kernel.width}));
  }
  if (std::holds_alternative<Dense>(op)) {
    BATON_RETURN_IF_ERROR(Bounded({out.back(), in[0].back()}));
  }
  if (const auto* recurrent = std::get_if<Recurrent>(&op)) {
    BATON_RETURN_IF_ERROR(Bounded({4, recurrent->hidden, std::max(in[0][1], recurrent->hidden)}));
  }
  if (std::holds_alternative<Attention>(op)) BATON_RETURN_IF_ERROR(Bounded({3, out[1], out[1]}));
  if (const auto* embedding = std::get_if<Embedding>(&op)) {
    BATON_RETURN_IF_ERROR(Bounded({embedding->vocabulary, embedding->width}));
  }
  return out;
}

absl::StatusOr<std::vector<LayerShape>> InferShapes(const Model& model) {
  if (model.inputs.empty()) return Wrong("the model has no input");
  std::vector<LayerShape> shapes;
  std::map<std::string, Shape> known;
  for (const ModelInput& input : model.inputs) known[input.name] = input.shape;
  std::string previous = model.inputs[0].name;
  for (const Layer& layer : model.layers) {
    BATON_ASSIGN_OR_RETURN(std::vector<Shape> in, InputShapes(known, layer, previous));
    absl::StatusOr<Shape> out = OutputShape(layer.op, in);
    if (!out.ok()) return Wrong(absl::StrCat("layer ", layer.name, ": ", out.status().message()));
    known[layer.name] = *out;
    previous = layer.name;
    shapes.push_back({std::move(in), *std::move(out)});
  }
  return shapes;
}

}  // namespace baton::spec
