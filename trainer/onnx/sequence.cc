// The layers that look at a whole sequence.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "trainer/onnx/graph.h"

namespace baton::trainer::onnx {
namespace {

std::string Turned(Graph& graph, const std::string& input, const std::vector<int64_t>& order) {
  std::string y;
  graph.Add("Transpose", {input}, &y).Ints("perm", order);
  return y;
}

// Blocks of `rows` rows in another order.
std::vector<float> Reordered(absl::Span<const float> values, const std::vector<int>& order) {
  std::vector<float> result;
  const size_t block = values.size() / order.size();
  for (const int gate : order) {
    const auto from = values.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(gate) * block);
    result.insert(result.end(), from, from + static_cast<ptrdiff_t>(block));
  }
  return result;
}

}  // namespace

// ONNX's LSTM has its gates as i, o, f, c and its GRU as z, r, h; PyTorch's are i, f, g, o and r,
// z, n. Sequences run along the first axis.
std::string AddRecurrent(Graph& graph, const std::string& layer, const spec::Recurrent& recurrent,
                         const spec::Shape& in, const std::string& input) {
  const bool lstm = recurrent.kind == spec::Recurrent::Kind::kLstm;
  const std::vector<int> order = lstm ? std::vector<int>{0, 3, 1, 2} : std::vector<int>{1, 0, 2};
  const int64_t rows = static_cast<int64_t>(order.size()) * recurrent.hidden;
  const auto own = [&](const char* name) {
    return Reordered(graph.Values(absl::StrCat(layer, ".", name)), order);
  };
  std::vector<float> biases = own("bias_ih_l0");
  const std::vector<float> from_state = own("bias_hh_l0");
  biases.insert(biases.end(), from_state.begin(), from_state.end());
  const std::string x = Turned(graph, input, {1, 0, 2});
  const std::string w = graph.Floats({1, rows, in[1]}, own("weight_ih_l0"));
  const std::string r = graph.Floats({1, rows, recurrent.hidden}, own("weight_hh_l0"));
  const std::string b = graph.Floats({1, 2 * rows}, biases);
  std::string y;  // (T, 1, N, hidden)
  Node& node = graph.Add(lstm ? "LSTM" : "GRU", {x, w, r, b}, &y);
  node.Int("hidden_size", recurrent.hidden);
  // As in PyTorch, the reset gate acts on what the state's product gives.
  if (!lstm) node.Int("linear_before_reset", 1);
  return Turned(graph, graph.Add("Squeeze", {y, graph.Ints({1})}), {1, 0, 2});
}

std::string AddAttention(Graph& graph, const std::string& layer, const spec::Attention& attention,
                         const spec::Shape& in, const std::string& input) {
  const int64_t positions = in[0];
  const int64_t width = in[1];
  const int64_t depth = width / attention.heads;
  const auto own = [&](const char* name) { return absl::StrCat(layer, ".", name); };
  const std::string projected = AddRows(graph, own("in_proj_weight"), {3 * width, width},
                                        graph.Weight(own("in_proj_bias")), input);
  // One of q, k, v as (N, heads, T, depth).
  const auto part = [&](int64_t index) {
    const std::string slice =
        graph.Add("Slice", {projected, graph.Ints({index * width}),
                            graph.Ints({(index + 1) * width}), graph.Ints({2})});
    const std::string split =
        graph.Add("Reshape", {slice, graph.Ints({-1, positions, attention.heads, depth})});
    return Turned(graph, split, {0, 2, 1, 3});
  };
  const std::string q = part(0), k = part(1), v = part(2);
  std::string scores = graph.Add("MatMul", {q, Turned(graph, k, {0, 1, 3, 2})});
  scores = graph.Add(
      "Mul", {scores, graph.Number(static_cast<float>(1 / std::sqrt(static_cast<double>(depth))))});
  if (attention.causal) {
    std::vector<float> mask(static_cast<size_t>(positions * positions), 0.0f);
    for (int64_t t = 0; t < positions; ++t)
      for (int64_t u = t + 1; u < positions; ++u)
        mask[static_cast<size_t>(t * positions + u)] = -std::numeric_limits<float>::infinity();
    scores = graph.Add("Add", {scores, graph.Floats({positions, positions}, mask)});
  }
  std::string shares;
  graph.Add("Softmax", {scores}, &shares).Int("axis", -1);
  const std::string mixed = Turned(graph, graph.Add("MatMul", {shares, v}), {0, 2, 1, 3});
  const std::string joined = graph.Add("Reshape", {mixed, graph.Ints({-1, positions, width})});
  return AddRows(graph, own("out_proj.weight"), {width, width}, graph.Weight(own("out_proj.bias")),
                 joined);
}

}  // namespace baton::trainer::onnx
