#include "worker/setup/facts.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

using Json = nlohmann::ordered_json;

// Packages name themselves, so whatever they say must become JSON.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void Put(Json* json, const char* name, const std::string& value) {
  if (!value.empty()) (*json)[name] = value;
}

}  // namespace

std::string FactsJson(const EnvironmentFacts& facts, const StartFacts& start) {
  Json json;
  Put(&json, "kind", facts.kind);
  Put(&json, "digest", facts.digest);
  Put(&json, "source", facts.source);
  Put(&json, "from", start.from);
  json["setup_ms"] = start.setup_ms;
  if (facts.build_ms > 0) json["build_ms"] = facts.build_ms;
  Put(&json, "python", facts.python);
  Put(&json, "r", facts.r);
  Put(&json, "cuda", start.cuda);
  Put(&json, "driver", start.driver);
  json["packages_total"] = facts.packages.size();
  // In front of thousands of short jobs the list of what their node has would be too much.
  if (facts.kind == "node") return Dump(json);
  json["packages"] = Json::array();
  size_t bytes = Dump(json).size();
  for (const std::string& package : facts.packages) {
    bytes += Dump(Json(package)).size() + 1;
    if (bytes > kFactsBytesMax) break;
    json["packages"].push_back(package);
  }
  return Dump(json);
}

std::string FactsText(const EnvironmentFacts& facts, const StartFacts& start) {
  std::string text = absl::StrCat("# ", facts.kind, " ", facts.source, "\n");
  if (!facts.digest.empty()) absl::StrAppend(&text, "# digest ", facts.digest, "\n");
  if (!facts.python.empty()) absl::StrAppend(&text, "# python ", facts.python, "\n");
  if (!facts.r.empty()) absl::StrAppend(&text, "# R ", facts.r, "\n");
  if (!start.driver.empty()) {
    absl::StrAppend(&text, "# driver ", start.driver, ", CUDA ", start.cuda, "\n");
  }
  for (const std::string& package : facts.packages) absl::StrAppend(&text, package, "\n");
  return text;
}

std::string StoredFacts(const EnvironmentFacts& facts) {
  const Json json = {
      {"kind", facts.kind},         {"digest", facts.digest}, {"source", facts.source},
      {"python", facts.python},     {"r", facts.r},           {"packages", facts.packages},
      {"build_ms", facts.build_ms}, {"root", facts.root}};
  return absl::StrCat(Dump(json), "\n");
}

absl::StatusOr<EnvironmentFacts> ReadStoredFacts(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  EnvironmentFacts facts;
  bool good = json.is_object();
  const auto take = [&](const char* name, std::string* out) {
    good = good && json.contains(name) && json[name].is_string();
    if (good) *out = json[name].get<std::string>();
  };
  take("kind", &facts.kind);
  take("digest", &facts.digest);
  take("source", &facts.source);
  take("python", &facts.python);
  take("r", &facts.r);
  take("root", &facts.root);
  good = good && json.contains("build_ms") && json["build_ms"].is_number_integer() &&
         json.contains("packages") && json["packages"].is_array();
  if (good) facts.build_ms = json["build_ms"].get<int64_t>();
  for (const Json& package : good ? json["packages"] : Json::array()) {
    good = good && package.is_string();
    if (good) facts.packages.push_back(package.get<std::string>());
  }
  if (!good) return absl::DataLossError("the facts of an environment are damaged");
  return facts;
}

}  // namespace baton::worker
