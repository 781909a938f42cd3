// `data:` and `secrets:` of a user's program.
#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/data_uri.h"
#include "common/job_limits.h"
#include "common/spec/read_spec.h"
#include "common/spec/secrets.h"

namespace baton::spec {
namespace {

constexpr char kExample[] = "must be a map such as {train: ./data, test: s3://bucket/test/}";
constexpr size_t kSha256Length = 64;

bool IsSha256(const std::string& text) {
  return text.size() == kSha256Length && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

void ReadOne(MapReader& sets, const Entry& entry, Context& context, JobSpec* spec) {
  DataSet data{.name = entry.key, .uri = "", .sha256 = ""};
  const std::string path = sets.PathOf(entry.key);
  if (!IsDataName(data.name)) {
    context.mistakes.Add(entry.place, path,
                         absl::StrCat("'", Shown(data.name, 63),
                                      "' is no name; use letters, digits, '.', '_' and '-', a "
                                      "letter or digit first, at most 63"));
    (void)sets.Get(entry.key);
    return;
  }
  MapReader fields = sets.Map(entry.key);
  fields.AllowShortForm("uri");
  fields.Require("uri", "uri: ./data");
  fields.Text("uri", &data.uri);
  fields.Text("sha256", &data.sha256);
  if (fields.Has("uri")) {
    const absl::Status good = CheckDataUri(data.uri);
    if (!good.ok()) fields.AddMistake("uri", std::string(good.message()));
  }
  if (!data.sha256.empty() && !IsSha256(data.sha256)) {
    fields.AddMistake("sha256", "must be 64 digits and letters a to f, as sha256sum prints them");
  } else if (!data.sha256.empty() && DataKindOf(data.uri) != DataKind::kWeb &&
             DataKindOf(data.uri) != DataKind::kS3) {
    fields.AddMistake("sha256", "is for data that the node fetches (http, https, s3); remove it");
  }
  fields.Finish();
  spec->data.push_back(std::move(data));
}

}  // namespace

void ReadDataSets(MapReader& job, Context& context, JobSpec* spec) {
  const Value* value = job.Get("data");
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kMap) {
    job.AddMistake("data", kExample);
    return;
  }
  if (value->entries.size() > limits::kDataSetsMax) {
    job.AddMistake("data", absl::StrCat("must have at most ", limits::kDataSetsMax, " sets, has ",
                                        value->entries.size(), "; put several into one folder"));
  }
  MapReader sets = job.Map("data");
  for (const Entry& entry : value->entries) ReadOne(sets, entry, context, spec);
  sets.Finish();
}

void ReadSecrets(MapReader& job, JobSpec* spec) {
  const Value* value = job.Get("secrets");
  if (value == nullptr) return;
  bool good = value->kind == Value::Kind::kList;
  for (const Value& item : value->items) good = good && item.kind == Value::Kind::kScalar;
  if (!good) {
    job.AddMistake("secrets",
                   "must be a list of names such as [WANDB_API_KEY]; the values are those of your "
                   "environment when you submit, and are never in a file");
    return;
  }
  for (const Value& item : value->items) {
    const std::string mistake = SecretMistake(*spec, item.text);
    if (!mistake.empty()) {
      job.AddMistake("secrets", mistake);
    } else {
      spec->secrets.push_back(item.text);
    }
  }
}

std::string SecretMistake(const JobSpec& spec, const std::string& name) {
  const bool is_name = !name.empty() && !absl::ascii_isdigit(name[0]) &&
                       name.size() <= limits::kVariableNameBytesMax &&
                       std::all_of(name.begin(), name.end(),
                                   [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
  if (!is_name) {
    return absl::StrCat("'", Shown(name, 40),
                        "' is no name of a variable; name the variable alone, its value is taken "
                        "from your environment");
  }
  if (absl::StartsWith(name, "BATON_")) {
    return absl::StrCat("'", name, "': names that start with BATON_ are Baton's; rename it");
  }
  if (spec.env.count(name) > 0) {
    return absl::StrCat("'", name, "' is also in `env`; remove one of the two");
  }
  if (std::find(spec.secrets.begin(), spec.secrets.end(), name) != spec.secrets.end()) {
    return absl::StrCat("'", name, "' is there twice; remove one");
  }
  if (spec.secrets.size() >= limits::kSecretsMax) {
    return absl::StrCat("there are more than ", limits::kSecretsMax, "; remove some");
  }
  return "";
}

}  // namespace baton::spec
