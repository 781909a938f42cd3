#include "scheduler/core/labels.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/policy/placement.h"

namespace baton::core {
namespace {

constexpr size_t kShownMax = 8;

std::string Text(const state::Label& label) { return absl::StrCat(label.key, "=", label.value); }

// Those of that name, else all.
std::string Known(const std::string& key, const state::State& state) {
  std::set<std::string> same;
  std::set<std::string> all;
  for (const auto& [id, node] : state.nodes) {
    for (const state::Label& label : node.offer.labels) {
      all.insert(Text(label));
      if (label.key == key) same.insert(Text(label));
    }
    if (key == policy::kNodeLabel) same.insert(Text({key, node.offer.name}));
  }
  const std::set<std::string>& shown = same.empty() ? all : same;
  if (shown.empty()) return "none has any (baton-worker --labels)";
  std::vector<std::string> words(shown.begin(), shown.end());
  const size_t more = words.size() > kShownMax ? words.size() - kShownMax : 0;
  words.resize(words.size() - more);
  return absl::StrCat("there is ", absl::StrJoin(words, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

}  // namespace

std::string MissingLabel(const std::vector<state::Label>& required, const state::NodeOffer& offer) {
  for (const state::Label& label : required) {
    if (!policy::HasLabel(offer, label)) return Text(label);
  }
  return "";
}

std::string UnknownLabels(const std::vector<state::Label>& required, const state::State& state) {
  std::vector<std::string> words;
  for (const state::Label& label : required) {
    const bool known = std::any_of(state.nodes.begin(), state.nodes.end(), [&](const auto& node) {
      return policy::HasLabel(node.second.offer, label);
    });
    if (known) continue;
    words.push_back(
        absl::StrCat("no known node has the label ", Text(label), ", ", Known(label.key, state)));
  }
  return absl::StrJoin(words, "; ");
}

}  // namespace baton::core
