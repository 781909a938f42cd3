// `model:`: the layers as a graph, with their names, inputs and shapes.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/spec/read_layer.h"
#include "common/spec/read_spec.h"
#include "common/spec/shapes.h"

namespace baton::spec {
namespace {

constexpr size_t kLayersMax = 10'000;
constexpr size_t kInputsMax = 64;

constexpr size_t kNameBytesMax = 63;

bool IsInputName(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax || absl::ascii_isdigit(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// As the modules of a PyTorch model: "fc", "layer1.0.conv1".
bool IsLayerName(const std::string& name) {
  if (name.size() > kNameBytesMax) return false;
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  return IsInputName(parts[0]) &&
         std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
             return absl::ascii_isalnum(c) || c == '_';
           });
         });
}

// A layer's fields. A value left out (`relu:`) is an empty map.
LayerOp ReadOp(const std::string& word, const Value* value, Place place, const std::string& path,
               Context& context) {
  Value none;
  none.kind = Value::Kind::kMap;
  none.place = place;
  if (value == nullptr || value->kind == Value::Kind::kNull) value = &none;
  MapReader fields(value, path, context);
  LayerOp op = ReadLayerOp(word, fields);
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

// Reads the layers one by one. The shape of a layer that is wrong is not known, nor of those after
// it, and nothing is said of what follows from that.
class LayerList {
 public:
  LayerList(Model* model, Context& context) : model_(model), context_(context) {
    for (const ModelInput& input : model->inputs) shapes_[input.name] = input.shape;
    if (!model->inputs.empty()) previous_ = model->inputs[0].name;
  }

  void Read(const Value& list, const std::string& path) {
    for (const Value& item : list.items) {
      if (const Value* name = item.Find("name")) given_.insert(name->text);
    }
    for (size_t i = 0; i < list.items.size(); ++i) {
      ReadOne(list.items[i], absl::StrCat(path, ".", i));
    }
    CheckAllRead(list, path);
    CheckTensorNames(path);
  }

  // Of the last layer; none when a layer before it was wrong.
  std::optional<Shape> shape() const {
    const auto it = shapes_.find(previous_);
    return it == shapes_.end() ? std::nullopt : std::optional<Shape>(it->second);
  }

 private:
  void ReadOne(const Value& item, const std::string& path) {
    Layer layer;
    std::optional<LayerOp> op =
        item.kind == Value::Kind::kScalar ? ReadWord(item, path) : ReadEntry(item, path, &layer);
    if (!op) {
      previous_.clear();
      broken_ = true;
      return;
    }
    layer.op = *op;
    const int number = ++count_[KindName(layer.op)];
    if (layer.name.empty()) layer.name = FreeName(KindName(layer.op), number);
    const bool fresh = names_.insert(layer.name).second;
    if (!fresh) {
      broken_ = true;
      context_.mistakes.Add(item.place, absl::StrCat(path, ".name"),
                            absl::StrCat("a second layer '", layer.name, "'; rename one"));
    }
    if (layer.inputs.empty()) layer.inputs = {previous_};
    if (CheckInputs(item, path, layer)) Advance(item, path, layer);
    for (const std::string& input : layer.inputs) read_.insert(input);
    previous_ = layer.name;
    places_.push_back(item.place);
    model_->layers.push_back(std::move(layer));
  }

  // `- relu`
  std::optional<LayerOp> ReadWord(const Value& item, const std::string& path) {
    const std::vector<std::string>& words = LayerWords();
    if (std::find(words.begin(), words.end(), item.text) != words.end()) {
      return ReadOp(item.text, nullptr, item.place, absl::StrCat(path, ".", item.text), context_);
    }
    const std::vector<std::string> nearest = Nearest(item.text, words);
    context_.mistakes.Add(
        item.place, path,
        absl::StrCat("unknown layer '", Shown(item.text), "'; ",
                     nearest.empty() ? absl::StrCat("use ", OrList(words))
                                     : absl::StrCat("did you mean ", OrList(nearest), "?")));
    return std::nullopt;
  }

  // `- conv: {out: 6, kernel: 5}`, with `name`, `inputs` and `frozen` beside it.
  std::optional<LayerOp> ReadEntry(const Value& item, const std::string& path, Layer* layer) {
    MapReader entry(&item, path, context_);
    std::optional<LayerOp> op;
    std::vector<std::string> found;
    for (const std::string& word : LayerWords()) {
      if (!entry.Has(word)) continue;
      found.push_back(word);
      op = ReadOp(word, entry.Get(word), item.place, entry.PathOf(word), context_);
    }
    entry.Text("name", &layer->name);
    const bool taken = shapes_.count(layer->name) > 0 && names_.count(layer->name) == 0;
    if (!layer->name.empty() &&
        (!IsLayerName(layer->name) || layer->name == kModelInput || taken)) {
      entry.AddMistake("name", absl::StrCat("'", Shown(layer->name),
                                            "' can't name a layer; use letters, digits, _ and "
                                            "single dots between them, a letter first, and not '",
                                            kModelInput, "' or another input's name"));
    }
    layer->inputs = ReadInputs(entry);
    entry.Bool("frozen", &layer->frozen);
    if (found.size() > 1) {
      context_.mistakes.Add(item.place, path,
                            absl::StrCat(found[0], " and ", found[1],
                                         " in one entry; give each its own line with '-'"));
    }
    size_t known = found.size();
    for (const char* key : {"name", "inputs", "frozen"}) known += item.Find(key) != nullptr ? 1 : 0;
    if (found.empty() && item.kind == Value::Kind::kMap && item.entries.size() == known) {
      context_.mistakes.Add(item.place, path,
                            absl::StrCat("no layer here; add ", OrList(LayerWords())));
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

  // True when the shapes of all inputs are known.
  bool CheckInputs(const Value& item, const std::string& path, const Layer& layer) {
    const Value* value = item.Find("inputs");
    const Place place = value == nullptr ? item.place : value->place;
    bool known = true;
    for (const std::string& input : layer.inputs) {
      if (shapes_.count(input) > 0 && input != layer.name) continue;
      known = false;
      const bool later = names_.count(input) == 0 || input == layer.name;
      if (input.empty() || broken_ || !later) continue;
      broken_ = true;
      context_.mistakes.Add(place, absl::StrCat(path, ".inputs"),
                            absl::StrCat("no layer or input '", Shown(input),
                                         "' before this one; name one of those above"));
    }
    return known;
  }

  void Advance(const Value& item, const std::string& path, const Layer& layer) {
    // A field that is missing or wrong has its own mistake already.
    if (!IsComplete(layer.op)) return;
    std::vector<Shape> in;
    for (const std::string& input : layer.inputs) in.push_back(shapes_.at(input));
    absl::StatusOr<Shape> out = OutputShape(layer.op, in);
    if (out.ok()) {
      shapes_[layer.name] = *std::move(out);
    } else {
      context_.mistakes.Add(NewestPlace(item), path,
                            absl::StrCat(layer.name, " ", out.status().message()));
    }
  }

  // A branch that nothing takes up would be trained for nothing.
  void CheckAllRead(const Value& list, const std::string& path) {
    if (broken_) return;
    for (size_t i = 0; i + 1 < model_->layers.size(); ++i) {
      const std::string& name = model_->layers[i].name;
      if (read_.count(name) > 0) continue;
      context_.mistakes.Add(places_[i], absl::StrCat(path, ".", i),
                            absl::StrCat("no layer takes the output of '", name,
                                         "'; name it in the `inputs` of one below, or remove it"));
    }
    for (const ModelInput& input : model_->inputs) {
      if (read_.count(input.name) > 0 || model_->layers.empty()) continue;
      context_.mistakes.Add(list.place, path,
                            absl::StrCat("no layer takes the input '", input.name,
                                         "'; name it in the `inputs` of one"));
    }
  }

  // "a" and "a.out_proj" may both have a tensor "a.out_proj.weight".
  void CheckTensorNames(const std::string& path) {
    if (broken_ || model_->inputs.empty()) return;
    const absl::StatusOr<std::vector<Parameter>> parameters = Parameters(*model_);
    if (!parameters.ok()) return;
    std::map<std::string, size_t> layers;
    for (const Parameter& parameter : *parameters) {
      const auto [it, fresh] = layers.try_emplace(parameter.name, parameter.layer);
      if (fresh) continue;
      context_.mistakes.Add(
          places_[parameter.layer], absl::StrCat(path, ".", parameter.layer, ".name"),
          absl::StrCat("its ", parameter.name, " would have the name of one of '",
                       model_->layers[it->second].name, "'; rename one of the two"));
      return;
    }
  }

  Model* model_;
  Context& context_;
  std::map<std::string, Shape> shapes_;  // of the model's inputs and of layers that are right
  std::string previous_;                 // empty: not known
  bool broken_ = false;                  // a name is wrong: what follows from that is not said
  std::map<std::string, int> count_;     // of layers by kind
  std::set<std::string> given_;
  std::set<std::string> names_;
  std::set<std::string> read_;  // whatever some layer takes
  std::vector<Place> places_;   // by layer
};

// `input: [1, 28, 28]`, or `inputs: {user: [1], item: [1]}`.
void ReadModelInputs(MapReader& fields, Model* model) {
  constexpr char kShape[] =
      "must be [channels, height, width], [positions, features] or [width], whole numbers from 1 "
      "to 1048576, such as [1, 28, 28]";
  const Value* several = fields.Get("inputs");
  if (several == nullptr) {
    fields.Require("input", "input: [1, 28, 28]");
    const Value* value = fields.Get("input");
    if (value == nullptr) return;
    const Shape shape = ReadShape(*value);
    if (shape.empty()) return fields.AddMistake("input", kShape);
    model->inputs = {{kModelInput, shape}};
    return;
  }
  if (fields.Has("input")) fields.AddMistake("input", "given beside `inputs`; remove one");
  if (several->kind != Value::Kind::kMap || several->entries.empty() ||
      several->entries.size() > kInputsMax) {
    return fields.AddMistake("inputs", "must be a map such as {user: [1], item: [1]}");
  }
  for (const Entry& entry : several->entries) {
    const Shape shape = ReadShape(entry.value);
    if (shape.empty() || !IsInputName(entry.key)) {
      fields.AddMistake("inputs", absl::StrCat("'", Shown(entry.key), "' ", kShape,
                                               ", its name letters, digits and _"));
    } else {
      model->inputs.push_back({entry.key, shape});
    }
  }
}

void ReadLoss(MapReader& fields, Model* model) {
  std::vector<std::pair<std::string, Loss>> losses;
  for (const Loss loss : {Loss::kSoftmaxCrossEntropy, Loss::kBinaryCrossEntropy,
                          Loss::kMeanSquaredError, Loss::kMeanAbsoluteError}) {
    losses.emplace_back(LossName(loss), loss);
  }
  fields.Choice<Loss>("loss", losses, &model->loss);
  const Value* weights = fields.Get("class_weights");
  if (weights == nullptr) return;
  for (const Value& item : weights->items) {
    const std::optional<double> weight = ParseNumber(item.text);
    if (weight && *weight >= 0 && *weight <= 1e6) model->class_weights.push_back(*weight);
  }
  const bool good = weights->kind == Value::Kind::kList && !weights->items.empty() &&
                    model->class_weights.size() == weights->items.size();
  if (!good) {
    fields.AddMistake("class_weights",
                      "must be a list of numbers from 0 on, one for each class, such as [1, 2.5]");
  } else if (model->loss != Loss::kSoftmaxCrossEntropy) {
    fields.AddMistake("class_weights", "only softmax_cross_entropy has them; remove it");
  }
}

void ReadInitialization(MapReader& fields, Initialization* initialization) {
  std::vector<std::pair<std::string, Initialization>> kinds;
  for (const Initialization kind :
       {Initialization::kDefault, Initialization::kKaimingUniform, Initialization::kKaimingNormal,
        Initialization::kXavierUniform, Initialization::kXavierNormal, Initialization::kNormal}) {
    kinds.emplace_back(InitializationName(kind), kind);
  }
  fields.Choice<Initialization>("initialization", kinds, initialization);
}

void CheckOutput(MapReader& fields, const Model& model, const std::optional<Shape>& shape) {
  if (!shape || model.layers.empty() || model.loss != Loss::kSoftmaxCrossEntropy) return;
  if (shape->size() == 3) {
    fields.AddMistake("layers",
                      absl::StrCat("the last layer gives ", ShapeText(*shape),
                                   " but softmax_cross_entropy needs one value per class; "
                                   "add `- flatten` and `- dense: {out: 10}`"));
  } else if (!model.class_weights.empty() &&
             static_cast<int64_t>(model.class_weights.size()) != shape->back()) {
    fields.AddMistake("class_weights",
                      absl::StrCat("has ", model.class_weights.size(), " weights but there are ",
                                   shape->back(), " classes; give one for each"));
  }
}

}  // namespace

Model ReadModel(MapReader& job, Context& context) {
  Model model;
  MapReader fields = job.Map("model");
  fields.Require("layers", "layers: [flatten, dense: {out: 10}]");
  ReadModelInputs(fields, &model);
  fields.Number("divide_by", {.min = 0, .max = 1e9, .min_excluded = true}, &model.divide_by);
  ReadLoss(fields, &model);
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
  ReadInitialization(fields, &model.initialization);
  fields.Choice<Precision>("precision",
                           {{PrecisionName(Precision::kFloat32), Precision::kFloat32},
                            {PrecisionName(Precision::kBfloat16), Precision::kBfloat16}},
                           &model.precision);
  fields.Finish();
  return model;
}

}  // namespace baton::spec
