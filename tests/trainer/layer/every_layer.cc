#include "tests/trainer/layer/every_layer.h"

#include <utility>

namespace baton::trainer {

namespace {

using Ops = std::vector<spec::LayerOp>;
using Kind = spec::Activation::Kind;
using spec::Extent;

// A random channel may hardly vary: dividing by its deviation would leave nothing of a float.
constexpr spec::BatchNorm kNorm{1e-2};

spec::Model Chain(spec::Shape input, Ops ops) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, std::move(input)}};
  for (size_t i = 0; i < ops.size(); ++i) {
    model.layers.push_back({"layer" + std::to_string(i), {}, std::move(ops[i])});
  }
  return model;
}

// An image through a convolution into the tested layers, and on to three classes.
spec::Model Image(Ops tested) {
  Ops ops = {spec::Conv{4, 1}};
  ops.insert(ops.end(), tested.begin(), tested.end());
  ops.insert(ops.end(), {spec::Flatten{}, spec::Dense{3}});
  return Chain({2, 6, 5}, std::move(ops));
}

spec::Model Sequence(Ops tested) {
  Ops ops = {spec::Dense{4}};
  ops.insert(ops.end(), tested.begin(), tested.end());
  ops.insert(ops.end(), {spec::Flatten{}, spec::Dense{3}});
  return Chain({5, 3}, std::move(ops));
}

spec::Model Vector(Ops tested) {
  Ops ops = {spec::Dense{7}};
  ops.insert(ops.end(), tested.begin(), tested.end());
  ops.push_back(spec::Dense{3});
  return Chain({6}, std::move(ops));
}

spec::Model Frozen(spec::Model model, size_t layer) {
  model.layers[layer].frozen = true;
  return model;
}

spec::Model WithLoss(spec::Model model, spec::Loss loss) {
  model.loss = loss;
  return model;
}

// Two branches of one input, joined by `op`, and on to three classes.
spec::Model Joined(spec::Shape input, const spec::LayerOp& branch, const spec::LayerOp& op) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, std::move(input)}};
  model.layers = {{"a", {spec::kModelInput}, branch},
                  {"b", {spec::kModelInput}, branch},
                  {"joined", {"a", "b", "a"}, op},
                  {"flat", {}, spec::Flatten{}},
                  {"out", {}, spec::Dense{3}}};
  return model;
}

spec::Model DotOf(spec::Shape a, spec::Shape b, bool cosine) {
  spec::Model model;
  model.inputs = {{"a", std::move(a)}, {"b", std::move(b)}};
  model.layers = {{"left", {"a"}, spec::Dense{4}},
                  {"right", {"b"}, spec::Dense{4}},
                  {"dot", {"left", "right"}, spec::Dot{cosine}},
                  {"out", {}, spec::Dense{3}}};
  return model;
}

void AddImages(std::vector<LayerCase>* cases) {
  spec::Conv dilated{3, 2};
  dilated.dilation = {2, 3};
  spec::Conv grouped{6, 3, 1, 1};
  grouped.groups = 2;
  spec::Conv unbiased{3, 3};
  unbiased.bias = false;
  const spec::AvgPool padded{3, 2, 1, true}, inside{3, 2, 1, false};
  cases->insert(
      cases->end(),
      {{"conv", Image({spec::Conv{3, 3, 1, 1}})},
       {"conv_strided", Image({spec::Conv{3, 3, 2, 2}})},
       {"conv_rectangular", Image({spec::Conv{3, Extent(3, 2), Extent(1, 2), Extent(0, 1)}})},
       {"conv_dilated", Image({dilated})},
       {"conv_grouped", Image({grouped})},
       {"conv_without_bias", Image({unbiased})},
       {"conv_and_relu", Image({spec::Conv{3, 3}, spec::Activation{}})},
       {"max_pool", Image({spec::MaxPool{2, 2, 0}})},
       {"max_pool_overlapping", Image({spec::MaxPool{3, 2, 1}})},
       {"max_pool_rectangular", Image({spec::MaxPool{Extent(2, 3), Extent(2, 1), Extent(1, 0)}})},
       {"relu_behind_max_pool", Image({spec::Activation{}, spec::MaxPool{2, 2, 0}})},
       {"avg_pool", Image({spec::AvgPool{2, 2, 0, true}})},
       {"avg_pool_with_padding", Image({padded})},
       {"avg_pool_without_padding", Image({inside})},
       {"global_avg_pool", Image({spec::GlobalPool{spec::GlobalPool::Kind::kAverage}})},
       {"global_max_pool", Image({spec::GlobalPool{spec::GlobalPool::Kind::kMax}})},
       {"batch_norm", Image({kNorm})},
       {"batch_norm_and_relu", Image({kNorm, spec::Activation{}})},
       {"batch_norm_frozen", Frozen(Image({kNorm}), 1)},
       {"conv_frozen", Frozen(Image({spec::Conv{3, 3}}), 1)},
       {"reshape", Image({spec::Reshape{{10, 12}}, spec::Dense{2}})},
       {"concat_images", Joined({2, 3, 4}, spec::Conv{3, 3, 1, 1}, spec::Concat{})}});
}

void AddSequences(std::vector<LayerCase>* cases) {
  const auto lstm = spec::Recurrent{spec::Recurrent::Kind::kLstm, 3};
  const auto gru = spec::Recurrent{spec::Recurrent::Kind::kGru, 3};
  const Ops words = {spec::Embedding{7, 4}, spec::Position{}, spec::Flatten{}, spec::Dense{3}};
  cases->insert(
      cases->end(),
      {{"dense_at_each_position", Sequence({spec::Dense{5, false}, spec::Activation{}})},
       {"max_of_positions", Sequence({spec::GlobalPool{spec::GlobalPool::Kind::kMax}})},
       {"mean_of_positions", Sequence({spec::GlobalPool{spec::GlobalPool::Kind::kAverage}})},
       {"layer_norm_of_sequence", Sequence({spec::LayerNorm{}})},
       {"position", Sequence({spec::Position{}})},
       {"embedding", Chain({5}, words)},
       {"lstm", Sequence({lstm})},
       {"lstm_last", Sequence({lstm, spec::Last{}})},
       {"gru", Sequence({gru})},
       {"gru_behind_gru", Sequence({gru, gru, spec::Last{}})},
       {"attention", Sequence({spec::Attention{2, false}})},
       {"attention_causal", Sequence({spec::Attention{2, true}})},
       {"last", Sequence({spec::Last{}})},
       {"concat_sequences", Joined({4, 3}, spec::Dense{2}, spec::Concat{})},
       {"multiply_sequences", Joined({4, 3}, spec::Dense{2}, spec::Multiply{})},
       {"dot_of_sequences", DotOf({5, 3}, {5, 2}, false)},
       {"cosine_of_sequences", DotOf({5, 3}, {5, 2}, true)},
       {"dot_with_one_row", DotOf({1, 3}, {5, 2}, false)},
       {"cosine_of_vector_and_sequence", DotOf({3}, {5, 2}, true)}});
}

void AddVectors(std::vector<LayerCase>* cases) {
  const std::pair<const char*, spec::Activation> activations[] = {
      {"relu", {Kind::kRelu}},     {"leaky_relu", {Kind::kLeakyRelu, 0.1}},
      {"elu", {Kind::kElu, 0.75}}, {"sigmoid", {Kind::kSigmoid}},
      {"tanh", {Kind::kTanh}},     {"gelu", {Kind::kGelu}},
      {"silu", {Kind::kSilu}}};
  for (const auto& [name, activation] : activations) {
    cases->push_back({name, Vector({activation})});
  }
  cases->insert(cases->end(), {{"dense", Vector({spec::Dense{4}})},
                               {"dense_without_bias", Vector({spec::Dense{4, false}})},
                               {"relu_alone", Vector({spec::Dropout{0}, spec::Activation{}})},
                               {"dropout", Vector({spec::Dropout{0.3}})},
                               {"batch_norm_of_vector", Vector({kNorm})},
                               {"layer_norm", Vector({spec::LayerNorm{}})},
                               {"concat", Joined({5}, spec::Dense{4}, spec::Concat{})},
                               {"add", Joined({5}, spec::Dense{4}, spec::Add{})},
                               {"multiply", Joined({5}, spec::Dense{4}, spec::Multiply{})},
                               {"dot", DotOf({3}, {2}, false)},
                               {"cosine", DotOf({3}, {2}, true)}});
}

void AddLosses(std::vector<LayerCase>* cases) {
  const Ops rows = {spec::Dense{4}, spec::Activation{Kind::kTanh}, spec::Dense{3}};
  spec::Model weighted = Chain({5, 2}, rows);
  weighted.class_weights = {0.5, 2, 1.25};
  cases->insert(
      cases->end(),
      {{"softmax_of_rows", Chain({5, 2}, rows)},
       {"class_weights", std::move(weighted)},
       {"binary_cross_entropy", WithLoss(Vector({}), spec::Loss::kBinaryCrossEntropy)},
       {"squared_error", WithLoss(Vector({}), spec::Loss::kMeanSquaredError)},
       {"squared_error_of_rows", WithLoss(Chain({5, 2}, rows), spec::Loss::kMeanSquaredError)},
       {"absolute_error", WithLoss(Vector({}), spec::Loss::kMeanAbsoluteError)}});
}

// What several layers read, on its way back: sums of gradients, and ReLUs that may not join.
void AddGraphs(std::vector<LayerCase>* cases) {
  spec::Model residual;
  residual.inputs = {{spec::kModelInput, {2, 5, 4}}};
  residual.layers = {{"stem", {}, spec::Conv{3, 3, 1, 1}},   {"relu", {}, spec::Activation{}},
                     {"conv", {}, spec::Conv{3, 3, 1, 1}},   {"norm", {}, kNorm},
                     {"sum", {"norm", "relu"}, spec::Add{}}, {"relu2", {}, spec::Activation{}},
                     {"pool", {}, spec::GlobalPool{}},       {"out", {}, spec::Dense{3}}};
  spec::Model towers;
  towers.inputs = {{"ids", {4}}, {"values", {3}}};
  towers.layers = {{"words", {"ids"}, spec::Embedding{6, 4}},
                   {"attended", {"words"}, spec::Attention{2, true}},
                   {"sum", {"attended", "words"}, spec::Add{}},
                   {"state", {"sum"}, spec::Recurrent{spec::Recurrent::Kind::kGru, 4}},
                   {"last", {"state"}, spec::Last{}},
                   {"mean", {"sum"}, spec::GlobalPool{}},
                   {"dense", {"values"}, spec::Dense{4}},
                   {"gate", {"dense"}, spec::Activation{Kind::kSigmoid}},
                   {"gated", {"last", "gate"}, spec::Multiply{}},
                   {"all", {"gated", "mean", "dense"}, spec::Concat{}},
                   {"out", {"all"}, spec::Dense{3}}};
  // One layer reads a value three times, and another once more.
  spec::Model repeated;
  repeated.inputs = {{spec::kModelInput, {4}}};
  repeated.layers = {{"a", {}, spec::Dense{3}},
                     {"tanh", {"a"}, spec::Activation{Kind::kTanh}},
                     {"thrice", {"a", "a", "tanh", "a"}, spec::Concat{}},
                     {"out", {}, spec::Dense{3}}};
  // What is flattened is read as an image as well, where no ReLU may join it.
  spec::Model flattened;
  flattened.inputs = {{spec::kModelInput, {2, 4, 3}}};
  flattened.layers = {
      {"conv", {}, spec::Conv{3, 3, 1, 1}},      {"flat", {"conv"}, spec::Flatten{}},
      {"relu", {"flat"}, spec::Activation{}},    {"pool", {"conv"}, spec::GlobalPool{}},
      {"all", {"relu", "pool"}, spec::Concat{}}, {"out", {}, spec::Dense{3}}};
  cases->push_back({"repeated", std::move(repeated)});
  cases->push_back({"flattened", std::move(flattened)});
  cases->push_back({"residual", std::move(residual)});
  cases->push_back({"towers", std::move(towers)});
}

}  // namespace

std::vector<LayerCase> EveryLayer() {
  std::vector<LayerCase> cases;
  AddImages(&cases);
  AddSequences(&cases);
  AddVectors(&cases);
  AddLosses(&cases);
  AddGraphs(&cases);
  return cases;
}

}  // namespace baton::trainer
