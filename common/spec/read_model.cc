#include <array>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "common/spec/read_spec.h"
#include "common/spec/shapes.h"

namespace baton::spec {
namespace {

constexpr int64_t kExtentMax = 1 << 20;
constexpr size_t kLayersMax = 10'000;

Conv ReadConv(MapReader& fields) {
  Conv conv;
  fields.Require("out", "out: 6");
  fields.Require("kernel", "kernel: 5");
  fields.Int("out", {1, kExtentMax}, &conv.out);
  fields.Int("kernel", {1, kExtentMax}, &conv.kernel);
  fields.Int("stride", {1, kExtentMax}, &conv.stride);
  fields.Int("padding", {0, kExtentMax}, &conv.padding);
  return conv;
}

MaxPool ReadMaxPool(MapReader& fields) {
  MaxPool pool;
  fields.AllowShortForm("kernel");
  fields.Require("kernel", "kernel: 2");
  fields.Int("kernel", {1, kExtentMax}, &pool.kernel);
  pool.stride = pool.kernel;
  fields.Int("stride", {1, kExtentMax}, &pool.stride);
  fields.Int("padding", {0, kExtentMax}, &pool.padding);
  return pool;
}

Dense ReadDense(MapReader& fields) {
  Dense dense;
  fields.AllowShortForm("out");
  fields.Require("out", "out: 10");
  fields.Int("out", {1, kExtentMax}, &dense.out);
  return dense;
}

Dropout ReadDropout(MapReader& fields) {
  Dropout dropout;
  fields.AllowShortForm("rate");
  fields.Require("rate", "rate: 0.5");
  fields.Number("rate", {.min = 0, .max = 1, .max_excluded = true}, &dropout.rate);
  return dropout;
}

struct Kind {
  const char* name;
  LayerOp (*read)(MapReader& fields);
};

constexpr std::array<Kind, 6> kKinds = {{
    {"conv", [](MapReader& fields) -> LayerOp { return ReadConv(fields); }},
    {"max_pool", [](MapReader& fields) -> LayerOp { return ReadMaxPool(fields); }},
    {"relu", [](MapReader&) -> LayerOp { return Relu{}; }},
    {"flatten", [](MapReader&) -> LayerOp { return Flatten{}; }},
    {"dense", [](MapReader& fields) -> LayerOp { return ReadDense(fields); }},
    {"dropout", [](MapReader& fields) -> LayerOp { return ReadDropout(fields); }},
}};

std::vector<std::string> KindNames() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.push_back(kind.name);
  return names;
}

bool IsLayerName(const std::string& name) {
  if (name.empty() || name.size() > 63 || absl::ascii_isdigit(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// A layer's fields. A value left out (`relu:`) is an empty map.
std::optional<LayerOp> ReadOp(const Kind& kind, const Value* value, Place place,
                              const std::string& path, Context& context) {
  Value none;
  none.kind = Value::Kind::kMap;
  none.place = place;
  if (value == nullptr || value->kind == Value::Kind::kNull) value = &none;
  MapReader fields(value, path, context);
  const LayerOp op = kind.read(fields);
  fields.Finish();
  return op;
}

// The names in `inputs:`; none when it is not given or is not a list of names.
std::vector<std::string> ReadInputs(MapReader& entry) {
  const Value* value = entry.Get("inputs");
  if (value == nullptr) return {};
  std::vector<std::string> inputs;
  bool good = value->kind == Value::Kind::kList && !value->items.empty();
  for (const Value& item : value->items) {
    good = good && item.kind == Value::Kind::kScalar;
    inputs.push_back(item.text);
  }
  if (good) return inputs;
  entry.AddMistake("inputs", "must be a list of layer names such as [conv1]");
  return {};
}

// Reads the layers one by one; keeps the chain's shape up to the first one that is wrong.
class LayerList {
 public:
  LayerList(Model* model, Context& context) : model_(model), context_(context) {
    if (!model->input.empty()) shape_ = model->input;
  }

  void Read(const Value& list, const std::string& path) {
    for (const Value& item : list.items) {
      if (const Value* name = item.Find("name")) given_.insert(name->text);
    }
    for (size_t i = 0; i < list.items.size(); ++i) {
      ReadOne(list.items[i], absl::StrCat(path, ".", i));
    }
  }

  // Of the last layer; none when a layer before it was wrong.
  const std::optional<Shape>& shape() const { return shape_; }

 private:
  void ReadOne(const Value& item, const std::string& path) {
    Layer layer;
    std::optional<LayerOp> op =
        item.kind == Value::Kind::kScalar ? ReadWord(item, path) : ReadEntry(item, path, &layer);
    if (!op) {
      shape_.reset();
      return;
    }
    layer.op = *op;
    const int number = ++count_[layer.op.index()];
    if (layer.name.empty()) layer.name = FreeName(KindName(layer.op), number);
    const bool fresh = names_.insert(layer.name).second;
    if (!fresh) {
      context_.mistakes.Add(item.place, absl::StrCat(path, ".name"),
                            absl::StrCat("a second layer '", layer.name, "'; rename one"));
    }
    CheckInputs(item, path, &layer);
    Advance(item, path, layer);
    model_->layers.push_back(std::move(layer));
  }

  // `- relu`
  std::optional<LayerOp> ReadWord(const Value& item, const std::string& path) {
    for (const Kind& kind : kKinds) {
      if (item.text == kind.name) {
        return ReadOp(kind, nullptr, item.place, absl::StrCat(path, ".", kind.name), context_);
      }
    }
    const std::vector<std::string> nearest = Nearest(item.text, KindNames());
    context_.mistakes.Add(
        item.place, path,
        absl::StrCat("unknown layer '", Shown(item.text), "'; ",
                     nearest.empty() ? absl::StrCat("use ", OrList(KindNames()))
                                     : absl::StrCat("did you mean ", OrList(nearest), "?")));
    return std::nullopt;
  }

  // `- conv: {out: 6, kernel: 5}`, with `name` and `inputs` beside it.
  std::optional<LayerOp> ReadEntry(const Value& item, const std::string& path, Layer* layer) {
    MapReader entry(&item, path, context_);
    std::optional<LayerOp> op;
    std::vector<std::string> found;
    for (const Kind& kind : kKinds) {
      if (!entry.Has(kind.name)) continue;
      found.push_back(kind.name);
      op = ReadOp(kind, entry.Get(kind.name), item.place, entry.PathOf(kind.name), context_);
    }
    entry.Text("name", &layer->name);
    if (!layer->name.empty() && (!IsLayerName(layer->name) || layer->name == kModelInput)) {
      entry.AddMistake("name", absl::StrCat("'", Shown(layer->name),
                                            "' can't name a layer; use letters, digits and _, a "
                                            "letter first, and not '",
                                            kModelInput, "'"));
    }
    layer->inputs = ReadInputs(entry);
    if (found.size() > 1) {
      context_.mistakes.Add(item.place, path,
                            absl::StrCat(found[0], " and ", found[1],
                                         " in one entry; give each its own line with '-'"));
    }
    const bool only_known = item.entries.size() == found.size() + (item.Find("name") ? 1u : 0u) +
                                                       (item.Find("inputs") ? 1u : 0u);
    if (found.empty() && item.kind == Value::Kind::kMap && only_known) {
      context_.mistakes.Add(item.place, path,
                            absl::StrCat("no layer here; add ", OrList(KindNames())));
    }
    entry.Finish();
    return op;
  }

  // "conv2", or the next number that no layer has.
  std::string FreeName(const char* kind, int number) const {
    std::string name = absl::StrCat(kind, number);
    while (given_.count(name) + names_.count(name) > 0) name = absl::StrCat(kind, ++number);
    return name;
  }

  void CheckInputs(const Value& item, const std::string& path, Layer* layer) {
    const std::string previous =
        model_->layers.empty() ? std::string(kModelInput) : model_->layers.back().name;
    if (layer->inputs.empty()) layer->inputs = {previous};
    if (layer->inputs == std::vector<std::string>{previous}) return;
    const Value* value = item.Find("inputs");
    const Place place = value == nullptr ? item.place : value->place;
    std::string message;
    for (const std::string& input : layer->inputs) {
      if (input != kModelInput && (names_.count(input) == 0 || input == layer->name)) {
        message =
            absl::StrCat("no layer '", Shown(input), "' before this one; name '", previous, "'");
      }
    }
    if (message.empty()) {
      message = absl::StrCat("only the layer before, '", previous,
                             "', can be the input: other graphs are not supported yet; remove "
                             "`inputs` or reorder the layers");
    }
    context_.mistakes.Add(place, absl::StrCat(path, ".inputs"), std::move(message));
  }

  void Advance(const Value& item, const std::string& path, const Layer& layer) {
    if (!shape_) return;
    absl::StatusOr<Shape> out = OutputShape(layer.op, *shape_);
    if (out.ok()) {
      shape_ = *std::move(out);
      return;
    }
    shape_.reset();
    // A field that is missing or wrong has its own mistake already.
    if (IsComplete(layer.op)) {
      context_.mistakes.Add(NewestPlace(item), path,
                            absl::StrCat(layer.name, " ", out.status().message()));
    }
  }

  static bool IsComplete(const LayerOp& op) {
    if (const Conv* conv = std::get_if<Conv>(&op)) return conv->out > 0 && conv->kernel > 0;
    if (const MaxPool* pool = std::get_if<MaxPool>(&op)) return pool->kernel > 0;
    if (const Dense* dense = std::get_if<Dense>(&op)) return dense->out > 0;
    return true;
  }

  Model* model_;
  Context& context_;
  std::optional<Shape> shape_;
  std::array<int, std::variant_size_v<LayerOp>> count_ = {};
  std::set<std::string> given_;
  std::set<std::string> names_;
};

void ReadInput(MapReader& fields, Model* model) {
  const Value* value = fields.Get("input");
  if (value == nullptr) return;
  Shape shape;
  for (const Value& item : value->items) {
    bool overflow = false;
    const std::optional<int64_t> extent = ParseInt(item.text, &overflow);
    if (!extent || *extent < 1 || *extent > kExtentMax || item.quoted) break;
    shape.push_back(*extent);
  }
  const bool good = value->kind == Value::Kind::kList && shape.size() == value->items.size() &&
                    (shape.size() == 1 || shape.size() == 3);
  if (!good) {
    fields.AddMistake("input",
                      "must be [channels, height, width] or [width], whole numbers from 1 to "
                      "1048576, such as [1, 28, 28]");
    return;
  }
  model->input = shape;
}

void CheckOutput(MapReader& fields, const Model& model, const std::optional<Shape>& shape) {
  if (!shape || model.layers.empty() || shape->size() == 1) return;
  const std::string text = absl::StrCat("the last layer gives ", ShapeText(*shape),
                                        " but softmax_cross_entropy needs one value per class; "
                                        "add `- flatten` and `- dense: {out: 10}`");
  fields.AddMistake("layers", text);
}

}  // namespace

Model ReadModel(MapReader& job, Context& context) {
  Model model;
  MapReader fields = job.Map("model");
  fields.Require("input", "input: [1, 28, 28]");
  fields.Require("layers", "layers: [flatten, dense: {out: 10}]");
  ReadInput(fields, &model);
  fields.Number("divide_by", {.min = 0, .max = 1e9, .min_excluded = true}, &model.divide_by);
  LayerList layers(&model, context);
  const Value* list = fields.Get("layers");
  if (list != nullptr && (list->kind != Value::Kind::kList || list->items.empty())) {
    fields.AddMistake("layers", "must be a list of layers, at least one, each behind '-'");
  } else if (list != nullptr && list->items.size() > kLayersMax) {
    fields.AddMistake("layers", absl::StrCat("more than ", kLayersMax, " layers; use fewer"));
  } else if (list != nullptr) {
    layers.Read(*list, fields.PathOf("layers"));
    CheckOutput(fields, model, layers.shape());
  }
  fields.Choice<Loss>("loss", {{"softmax_cross_entropy", Loss::kSoftmaxCrossEntropy}}, &model.loss);
  fields.Choice<Initialization>("initialization",
                                {{"kaiming_uniform", Initialization::kKaimingUniform}},
                                &model.initialization);
  fields.Finish();
  return model;
}

}  // namespace baton::spec
