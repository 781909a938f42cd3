#include "scheduler/edge/validate_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/data_uri.h"
#include "common/job_limits.h"

namespace baton::edge {
namespace {

constexpr size_t kShown = 40;

bool IsSecretName(absl::string_view name) {
  return !name.empty() && name.size() <= limits::kVariableNameBytesMax &&
         !absl::ascii_isdigit(name[0]) && !absl::StartsWith(name, "BATON_") &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// Who fetches by a URI needs no digest, and who has uploaded has one.
void CheckSource(const v1::DataSet& data, const std::string& field, Problems& problems) {
  const absl::Status uri = CheckDataUri(data.uri());
  if (!uri.ok()) problems.Add(field + ".uri", uri.message());
  const DataKind kind = DataKindOf(data.uri());
  const bool uploaded = kind == DataKind::kPath || kind == DataKind::kPushed;
  if (uploaded && !artifact::IsDigest(data.digest())) {
    problems.Add(field + ".digest", "is no SHA-256 in hexadecimal; upload the data first");
  } else if (!uploaded && !data.digest().empty()) {
    problems.Add(field + ".digest", "is given for data that the node fetches; leave it out");
  }
  if (!data.sha256().empty() && !artifact::IsDigest(data.sha256())) {
    problems.Add(field + ".sha256", "is no SHA-256 in lower-case hexadecimal");
  }
  if (data.bytes() < 0) problems.Add(field + ".bytes", "is negative");
}

}  // namespace

void CheckDataOf(const v1::JobSpec& spec, const std::string& path, Problems& problems) {
  const auto field = [&path](absl::string_view name) { return absl::StrCat(path, ".", name); };
  if (static_cast<size_t>(spec.data_size()) > limits::kDataSetsMax) {
    problems.Add(field("data"), absl::StrCat("has more than ", limits::kDataSetsMax, " sets"));
  }
  if (spec.data_size() > 0 && spec.command().empty()) {
    problems.Add(field("data"), "is for a job with a command; a native job has data_digest");
  }
  std::set<std::string> names;
  for (int i = 0; i < spec.data_size(); ++i) {
    const v1::DataSet& data = spec.data(i);
    const std::string at = absl::StrCat(field("data"), "[", i, "]");
    if (!IsDataName(data.name())) {
      problems.Add(at + ".name",
                   "must be 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first");
    } else if (!names.insert(data.name()).second) {
      problems.Add(at + ".name", absl::StrCat("\"", data.name(), "\" is there twice"));
    }
    CheckSource(data, at, problems);
  }
  std::set<std::string> variables;
  for (const v1::EnvironmentVariable& variable : spec.environment()) {
    variables.insert(variable.name());
  }
  if (static_cast<size_t>(spec.secret_names_size()) > limits::kSecretsMax) {
    problems.Add(field("secret_names"),
                 absl::StrCat("has more than ", limits::kSecretsMax, " names"));
  }
  for (const std::string& name : spec.secret_names()) {
    if (!IsSecretName(name)) {
      problems.Add(field("secret_names"),
                   absl::StrCat("\"", name.substr(0, kShown),
                                "\" is no name of a variable, or one of Baton's (BATON_..)"));
    } else if (!variables.insert(name).second) {
      problems.Add(field("secret_names"),
                   absl::StrCat("\"", name, "\" is also in environment, or there twice"));
    }
  }
}

void CheckSecrets(const v1::SubmitJobsRequest& request, Problems& problems) {
  std::set<std::string> given;
  size_t bytes = 0;
  for (const v1::EnvironmentVariable& secret : request.secrets()) {
    bytes += secret.name().size() + secret.value().size();
    if (secret.value().size() > limits::kSecretBytesMax ||
        secret.value().find('\0') != std::string::npos) {
      problems.Add("secrets",
                   absl::StrCat("the value of ", secret.name().substr(0, kShown), " has ",
                                secret.value().size(), " bytes, at most ", limits::kSecretBytesMax,
                                " without a zero byte are taken"));
    }
    if (!given.insert(secret.name()).second) {
      problems.Add("secrets", absl::StrCat(secret.name().substr(0, kShown), " is there twice"));
    }
  }
  if (static_cast<size_t>(request.secrets_size()) > limits::kSecretsMax ||
      bytes > limits::kSecretsBytesMax) {
    problems.Add("secrets", absl::StrCat("has more than ", limits::kSecretsMax, " values, or than ",
                                         limits::kSecretsBytesMax, " bytes"));
  }
  for (int i = 0; i < request.jobs_size(); ++i) {
    for (const std::string& name : request.jobs(i).secret_names()) {
      if (given.count(name) > 0) continue;
      problems.Add(absl::StrCat("jobs[", i, "].secret_names"),
                   absl::StrCat(name.substr(0, kShown), " has no value in this request"));
    }
  }
}

}  // namespace baton::edge
