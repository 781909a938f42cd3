#include "common/spec/layer_names.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace baton::spec {
namespace {

struct Alias {
  const char* theirs;
  const char* ours;
};

// Theirs may mean several of ours: the one that the model has.
constexpr Alias kAliases[] = {
    // timm's VGG (timm/models/vgg.py): its dense layers are convolutions.
    {"pre_logits.fc1", "classifier.0"},
    {"pre_logits.fc2", "classifier.3"},
    {"head.fc", "classifier.6"},
    // keras.applications' VGG-19.
    {"block1_conv1", "features.0"},
    {"block1_conv2", "features.2"},
    {"block2_conv1", "features.5"},
    {"block2_conv2", "features.7"},
    {"block3_conv1", "features.10"},
    {"block3_conv2", "features.12"},
    {"block3_conv3", "features.14"},
    {"block3_conv4", "features.16"},
    {"block4_conv1", "features.19"},
    {"block4_conv2", "features.21"},
    {"block4_conv3", "features.23"},
    {"block4_conv4", "features.25"},
    {"block5_conv1", "features.28"},
    {"block5_conv2", "features.30"},
    {"block5_conv3", "features.32"},
    {"block5_conv4", "features.34"},
    {"fc1", "classifier.0"},
    {"fc2", "classifier.3"},
    {"predictions", "classifier.6"},
    // Its Inception-v3 and ResNet-50; the older names of the last layer.
    {"predictions", "fc"},
    {"fc1000", "predictions"},
    {"probs", "predictions"},
};

// The order in which Keras 3 saves a model whose graph is no chain: the n-th that is saved is this
// one of the model's. Empty: the order of the graph.
struct SavedOrder {
  const char* layer;  // by which the model is known
  std::vector<uint8_t> order;
};

const std::array<SavedOrder, 2>& SavedOrders() {
  static const std::array<SavedOrder, 2> orders = {{
      {"conv2_block1_1_conv", {}},
      {"Mixed_7c.branch_pool.conv",
       {0,  1,  2,  3,  4,  8,  6,  9,  5,  7,  10, 11, 15, 13, 16, 12, 14, 17, 18,
        22, 20, 23, 19, 21, 24, 25, 27, 28, 26, 29, 34, 35, 31, 36, 32, 37, 30, 33,
        38, 39, 44, 45, 41, 46, 42, 47, 40, 43, 48, 49, 54, 55, 51, 56, 52, 57, 50,
        53, 58, 59, 64, 65, 61, 66, 62, 67, 60, 63, 68, 69, 72, 73, 70, 74, 71, 75,
        80, 77, 81, 78, 79, 82, 83, 76, 84, 89, 86, 90, 87, 88, 91, 92, 85, 93}},
  }};
  return orders;
}

bool Has(const Model& model, const std::string& name) {
  return std::any_of(model.layers.begin(), model.layers.end(),
                     [&](const Layer& layer) { return layer.name == name; });
}

bool IsChain(const Model& model) {
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const std::vector<std::string>& inputs = model.layers[i].inputs;
    if (inputs.empty()) continue;  // the layer before
    const std::string& before = i == 0 ? model.inputs[0].name : model.layers[i - 1].name;
    if (inputs.size() > 1 || inputs[0] != before) return false;
  }
  return true;
}

// "conv2d_12" -> 12, "conv2d" -> 0; -1: another kind.
int64_t NumberIn(absl::string_view name, absl::string_view kind) {
  int64_t number = 0;
  if (!absl::ConsumePrefix(&name, kind)) return -1;
  if (name.empty()) return 0;
  const bool numbered = absl::ConsumePrefix(&name, "_") && absl::SimpleAtoi(name, &number);
  return numbered && number > 0 ? number : -1;
}

std::vector<std::string> LayersOf(const std::string& kind, const Model& model) {
  std::vector<std::string> names;
  for (const Layer& layer : model.layers) {
    const bool is = (kind == "conv2d" && std::holds_alternative<Conv>(layer.op)) ||
                    (kind == "dense" && std::holds_alternative<Dense>(layer.op)) ||
                    (kind == "batch_normalization" && std::holds_alternative<BatchNorm>(layer.op));
    if (is) names.push_back(layer.name);
  }
  return names;
}

// `theirs` in the order of their numbers.
std::vector<std::string> InOrder(const std::vector<std::string>& theirs, const std::string& kind) {
  std::vector<std::pair<int64_t, std::string>> numbered;
  for (const std::string& name : theirs) {
    const int64_t number = NumberIn(name, kind);
    if (number >= 0) numbered.emplace_back(number, name);
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<std::string> names;
  for (auto& [number, name] : numbered) names.push_back(std::move(name));
  return names;
}

}  // namespace

std::string OwnLayerName(const std::string& theirs, const Model& model) {
  if (Has(model, theirs)) return theirs;
  for (const Alias& alias : kAliases) {
    if (theirs == alias.theirs && Has(model, alias.ours)) return alias.ours;
  }
  return "";
}

absl::StatusOr<std::map<std::string, std::string>> NumberedLayers(
    const std::vector<std::string>& theirs, const Model& model) {
  const std::vector<uint8_t>* order = nullptr;
  bool known = IsChain(model);
  for (const SavedOrder& saved : SavedOrders()) {
    if (!Has(model, saved.layer)) continue;
    known = true;
    if (!saved.order.empty()) order = &saved.order;
  }
  std::map<std::string, std::string> names;
  for (const std::string kind : {"conv2d", "batch_normalization", "dense"}) {
    const std::vector<std::string> ours = LayersOf(kind, model);
    const std::vector<std::string> made = InOrder(theirs, kind);
    for (size_t i = 0; i < std::min(made.size(), ours.size()); ++i) names[made[i]] = ours[i];
    const std::vector<std::string> saved = InOrder(theirs, absl::StrCat("layers/", kind));
    if (!saved.empty() && !known) {
      return absl::InvalidArgumentError(
          "has the layers of Keras 3 by kind and number alone, which say too little where a model "
          "has branches; save it with names: model.save(\"x.h5\")");
    }
    for (size_t i = 0; i < std::min(saved.size(), ours.size()); ++i) {
      const bool permuted = order != nullptr && order->size() == ours.size();
      names[saved[i]] = ours[permuted ? (*order)[i] : i];
    }
  }
  return names;
}

}  // namespace baton::spec
