#include "trainer/predict/continuation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/printable.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/data/counter_random.h"
#include "trainer/layer/network.h"
#include "trainer/numeric/portable_math.h"

namespace baton::trainer {
namespace {

// An alphabet's entry is a character of UTF-8, or a byte.
constexpr size_t kCharacterBytesMax = 4;

// Whether what the layer gives at a position depends on that one and those before it alone.
bool LooksBack(const spec::LayerOp& op) {
  if (const auto* attention = std::get_if<spec::Attention>(&op)) return attention->causal;
  return std::holds_alternative<spec::Embedding>(op) ||
         std::holds_alternative<spec::Position>(op) ||
         std::holds_alternative<spec::Recurrent>(op) ||
         std::holds_alternative<spec::LayerNorm>(op) || std::holds_alternative<spec::Dense>(op) ||
         std::holds_alternative<spec::Activation>(op) ||
         std::holds_alternative<spec::Dropout>(op) || std::holds_alternative<spec::Add>(op) ||
         std::holds_alternative<spec::Multiply>(op) || std::holds_alternative<spec::Concat>(op);
}

absl::Status CheckSubject(const Subject& subject) {
  const spec::NativeSpec& native = *subject.card.spec.native;
  if (!std::holds_alternative<spec::TextData>(native.data.source)) {
    return absl::InvalidArgumentError(
        "--continue: the model was not trained on `format: text`; give --input for its samples");
  }
  if (subject.card.labels.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("--continue: which characters the model's numbers stand for is in ",
                     kModelCardFile, "; give --model FOLDER, the run's output, which has it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> IdsOf(absl::string_view text,
                                           const std::vector<std::string>& alphabet) {
  std::map<absl::string_view, int32_t> ids;
  for (size_t id = 0; id < alphabet.size(); ++id) ids[alphabet[id]] = static_cast<int32_t>(id);
  std::vector<int32_t> found;
  std::set<std::string> unknown;
  while (!text.empty()) {
    size_t size = 1;
    while (size <= kCharacterBytesMax && ids.count(text.substr(0, size)) == 0) ++size;
    if (size <= kCharacterBytesMax) {
      found.push_back(ids.at(text.substr(0, size)));
    } else {  // to the next first byte of a character
      for (size = 1; size < text.size() && (text[size] & 0xc0) == 0x80;) ++size;
      unknown.insert(absl::StrCat("'", Printable(text.substr(0, size)), "'"));
    }
    text.remove_prefix(std::min(size, text.size()));
  }
  if (unknown.empty()) return found;
  std::string known;
  for (const std::string& character : alphabet) absl::StrAppend(&known, character);
  return absl::InvalidArgumentError(absl::StrCat(
      "--continue has ", absl::StrJoin(unknown, ", "),
      ", which the text that the model was trained on has not; it has: ", Printable(known)));
}

int32_t NextCharacter(absl::Span<const float> outputs, const ContinueOptions& options,
                      uint32_t bits) {
  const auto likeliest = std::max_element(outputs.begin(), outputs.end());
  if (options.temperature == 0) return static_cast<int32_t>(likeliest - outputs.begin());
  std::vector<int32_t> order(outputs.size());
  std::iota(order.begin(), order.end(), 0);
  if (options.top_k > 0 && options.top_k < static_cast<int64_t>(order.size())) {
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return outputs[static_cast<size_t>(a)] > outputs[static_cast<size_t>(b)];
    });
    order.resize(static_cast<size_t>(options.top_k));
  }
  std::vector<double> sums;  // running
  for (const int32_t id : order) {
    const double below = double{outputs[static_cast<size_t>(id)]} - double{*likeliest};
    sums.push_back((sums.empty() ? 0 : sums.back()) + Exponential(below / options.temperature));
  }
  const double drawn = static_cast<double>(bits) * 0x1p-32 * sums.back();
  const auto at = std::upper_bound(sums.begin(), sums.end(), drawn) - sums.begin();
  return order[std::min(static_cast<size_t>(at), order.size() - 1)];
}

absl::Status ContinueText(const Subject& subject, Backend& backend, absl::string_view prompt,
                          const ContinueOptions& options,
                          const std::function<void(absl::string_view)>& write) {
  BATON_RETURN_IF_ERROR(CheckSubject(subject));
  const spec::Model& model = subject.card.spec.native->model;
  const std::vector<std::string>& alphabet = subject.card.labels;
  BATON_ASSIGN_OR_RETURN(std::vector<int32_t> ids, IdsOf(prompt, alphabet));
  const auto positions = static_cast<size_t>(spec::ElementCount(model.inputs[0].shape));
  const bool at_each = subject.output.size() == 2;  // position
  const bool looks_back =
      at_each && std::all_of(model.layers.begin(), model.layers.end(),
                             [](const spec::Layer& layer) { return LooksBack(layer.op); });
  const size_t fewest = looks_back ? 1 : positions;
  if (ids.size() < fewest) {
    return absl::InvalidArgumentError(
        absl::StrCat("--continue has ", ids.size(), " characters; this model needs at least ",
                     fewest, looks_back ? "" : ", for it looks at all of them at once"));
  }
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         Network::Create(model, backend, 1));
  const RandomStream random = RandomStream::Make(options.seed, RandomPurpose::kSamples).Derive(0);
  Batch batch;
  batch.count = 1;
  std::vector<float> outputs;
  write(prompt);
  for (int64_t i = 0; i < options.length; ++i) {
    // What stands behind a short prompt is not looked at.
    batch.values.assign(positions, 0.0f);
    const size_t known = std::min(ids.size(), positions);
    std::copy(ids.end() - static_cast<int64_t>(known), ids.end(), batch.values.begin());
    BATON_RETURN_IF_ERROR(network->Predict(subject.weights.data(), batch, &outputs));
    const size_t row = at_each ? known - 1 : 0;
    const auto next = absl::MakeConstSpan(outputs).subspan(row * alphabet.size(), alphabet.size());
    if (!std::all_of(next.begin(), next.end(), [](float value) { return std::isfinite(value); })) {
      return absl::FailedPreconditionError(
          "the model's outputs are no finite numbers; use the weights of a training that went "
          "well");
    }
    ids.push_back(NextCharacter(next, options, random.Bits(static_cast<uint64_t>(i))));
    write(alphabet[static_cast<size_t>(ids.back())]);
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
