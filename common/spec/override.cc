#include "common/spec/override.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

// "model.layers[3].name" and "model.layers.3.name" are one path.
std::string Dotted(absl::string_view path) {
  std::string dotted;
  for (const char c : path) {
    if (c == '[') dotted += '.';
    if (c != '[' && c != ']') dotted += c;
  }
  return dotted;
}

// Fields below these have any name.
bool IsFree(absl::string_view path) {
  return absl::StartsWith(path, "params.") || absl::StartsWith(path, "env.") ||
         absl::StartsWith(path, "require.") || absl::StartsWith(path, "metrics.");
}

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string Unknown(const std::string& path, const Schema& schema) {
  std::vector<std::string> words(schema.paths.begin(), schema.paths.end());
  std::vector<std::string> nearest = Nearest(path, words);
  if (nearest.empty()) {
    // A slip in the last part alone, or in a part given alone.
    std::vector<std::string> last_parts;
    for (const std::string& word : words) last_parts.push_back(LastPart(word));
    const std::vector<std::string> near_parts = Nearest(LastPart(path), last_parts);
    for (size_t i = 0; i < words.size() && !near_parts.empty(); ++i) {
      if (last_parts[i] == near_parts.front() && nearest.size() < 3) nearest.push_back(words[i]);
    }
  }
  return absl::StrCat("no such field; ", nearest.empty()
                                             ? "write its path from the top, e.g. optimizer.lr=0.1"
                                             : absl::StrCat("did you mean ", OrList(nearest), "?"));
}

// The full path that `given` means.
std::optional<std::string> Resolve(std::string given, const Schema& schema, Place place,
                                   Mistakes& mistakes) {
  if (absl::StartsWith(given, "flags.")) given.replace(0, 5, "params");
  if (schema.paths.count(given) > 0 || IsFree(given)) return given;
  std::vector<std::string> candidates;
  for (const std::string& path : schema.paths) {
    if (absl::EndsWith(path, absl::StrCat(".", given))) candidates.push_back(path);
  }
  if (candidates.size() == 1) return candidates.front();
  if (candidates.empty()) {
    mistakes.Add(place, given, Unknown(given, schema));
    return std::nullopt;
  }
  constexpr size_t kShown = 6;
  const size_t left = candidates.size() > kShown ? candidates.size() - kShown : 0;
  candidates.resize(candidates.size() - left);
  mistakes.Add(place, given,
               absl::StrCat("ambiguous; write one of ", absl::StrJoin(candidates, ", "),
                            left > 0 ? absl::StrCat(" and ", left, " more") : ""));
  return std::nullopt;
}

// Makes a map of a scalar that stands for one, and of what is not there yet.
void ExpandShortForm(const std::string& path, const Schema& schema, Place place, Value* value) {
  const auto form = schema.short_forms.find(path);
  if (value->kind == Value::Kind::kScalar && form != schema.short_forms.end()) {
    Value map;
    map.kind = Value::Kind::kMap;
    map.place = value->place;
    map.entries.push_back({form->second, value->place, *value});
    *value = std::move(map);
  } else if (value->kind == Value::Kind::kNull) {
    value->kind = Value::Kind::kMap;
    value->place = place;
  }
}

using Path = std::vector<std::string>;

void Put(const Path& path, Value value, const Schema& schema, Value* root, Mistakes& mistakes) {
  const Place place = value.place;
  Value* at = root;
  std::string walked;
  for (const std::string& part : path) {
    ExpandShortForm(walked, schema, place, at);
    if (at->kind == Value::Kind::kMap) {
      if (at->Find(part) == nullptr) at->entries.push_back({part, place, Value{}});
      at = at->Find(part);
    } else {
      size_t index = 0;
      const bool inside = at->kind == Value::Kind::kList && absl::SimpleAtoi(part, &index) &&
                          index < at->items.size();
      if (!inside) {
        mistakes.Add(place, absl::StrJoin(path, "."),
                     absl::StrCat("'", walked, "' has no '", part, "' in this spec; set '", walked,
                                  "' as a whole"));
        return;
      }
      at = &at->items[index];
    }
    walked = walked.empty() ? part : absl::StrCat(walked, ".", part);
  }
  *at = std::move(value);
}

bool IsThere(const Value& root, const Path& path) {
  const Value* at = &root;
  for (const std::string& part : path) {
    at = at->Find(part);
    if (at == nullptr) return false;
  }
  return true;
}

// A variable is a text whatever it looks like.
Value ValueOf(const std::string& path, const std::string& text, int source) {
  Value value = absl::StartsWith(path, "env.") ? PlainValue(text) : YamlValue(text);
  SetPlace(&value, {source, 0});
  return value;
}

}  // namespace

std::vector<std::string> OverrideNames(const Overrides& overrides) {
  std::vector<std::string> names;
  for (const Setting& setting : overrides.settings) names.push_back(setting.source);
  for (const std::string& set : overrides.sets) names.push_back(absl::StrCat("--set ", set));
  if (!overrides.ranks.empty()) names.push_back(absl::StrCat("--ranks ", overrides.ranks));
  if (!overrides.name.empty()) names.push_back(absl::StrCat("--name ", overrides.name));
  return names;
}

void ApplyOverrides(const Overrides& overrides, const Schema& schema, Value* root,
                    Mistakes& mistakes) {
  int source = 0;
  for (const Setting& setting : overrides.settings) {
    const Place place = {++source, setting.line};
    if (!setting.refusal.empty()) {
      mistakes.Add(place, "", setting.refusal);
      continue;
    }
    if (setting.weak && IsThere(*root, setting.path)) continue;
    Value value = setting.value;
    SetPlace(&value, place);
    Put(setting.path, std::move(value), schema, root, mistakes);
  }
  for (const std::string& set : overrides.sets) {
    const Place place = {++source, 0};
    const size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0 || !IsPlainText(set)) {
      mistakes.Add(place, "", "must be PATH=VALUE, e.g. optimizer.lr=0.1");
      continue;
    }
    const std::optional<std::string> path =
        Resolve(Dotted(set.substr(0, equals)), schema, place, mistakes);
    if (!path) continue;
    Put(absl::StrSplit(*path, '.'), ValueOf(*path, set.substr(equals + 1), source), schema, root,
        mistakes);
  }
  if (!overrides.ranks.empty()) {
    Put({"ranks"}, ValueOf("ranks", overrides.ranks, ++source), schema, root, mistakes);
  }
  if (!overrides.name.empty()) {
    Value name = PlainValue(overrides.name);
    SetPlace(&name, {++source, 0});
    Put({"name"}, std::move(name), schema, root, mistakes);
  }
}

}  // namespace baton::spec
