#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/spec/read_spec.h"

namespace baton::spec {
namespace {

// A plain word as the core schema of YAML 1.2 sees it; nothing for a number that JSON lacks.
std::optional<nlohmann::json> PlainWord(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (text == ".inf" || text == "-.inf" || text == "+.inf" || text == ".nan") return std::nullopt;
  bool overflow = false;
  if (const std::optional<int64_t> number = ParseInt(text, &overflow)) return *number;
  if (overflow) {
    uint64_t number = 0;
    if (absl::SimpleAtoi(text, &number)) return number;
    return std::nullopt;
  }
  if (const std::optional<double> number = ParseNumber(text)) return *number;
  return text;
}

nlohmann::json ToJson(const Value& value, const std::string& path, Context& context) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kScalar: {
      if (value.quoted) return value.text;
      if (std::optional<nlohmann::json> word = PlainWord(value.text)) return *std::move(word);
      context.mistakes.Add(
          value.place, path,
          absl::StrCat(Shown(value.text), " is no number that JSON can hold; quote it"));
      return nullptr;
    }
    case Value::Kind::kList: {
      nlohmann::json list = nlohmann::json::array();
      for (size_t i = 0; i < value.items.size(); ++i) {
        list.push_back(ToJson(value.items[i], absl::StrCat(path, ".", i), context));
      }
      return list;
    }
    case Value::Kind::kMap: {
      nlohmann::json map = nlohmann::json::object();
      for (const Entry& entry : value.entries) {
        const std::string inner = absl::StrCat(path, ".", entry.key);
        context.schema.paths.insert(inner);
        map[entry.key] = ToJson(entry.value, inner, context);
      }
      return map;
    }
  }
  return nullptr;
}

}  // namespace

std::string ReadParams(MapReader& job, Context& context) {
  const Value* value = job.Get("params");
  if (value == nullptr) return "{}";
  if (value->kind != Value::Kind::kMap) {
    job.AddMistake("params", "must be a map such as {lr: 0.1}");
    return "{}";
  }
  return ToJson(*value, "params", context).dump();
}

}  // namespace baton::spec
