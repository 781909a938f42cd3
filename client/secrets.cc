#include "client/secrets.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job_limits.h"
#include "common/spec/secrets.h"

namespace baton::client {

void AddSecrets(const std::vector<std::string>& names, spec::Reading* reading) {
  for (const std::string& name : names) {
    std::vector<std::string>& known = reading->spec.secrets;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string mistake =
        reading->spec.native.has_value()
            ? std::string("only a job with `command` or `entry` has secrets")
            : spec::SecretMistake(reading->spec, name);
    if (mistake.empty()) {
      known.push_back(name);
    } else {
      reading->AddMistake("secrets", absl::StrCat("--secret: ", mistake));
    }
  }
}

absl::Status FillSecrets(v1::SubmitJobsRequest* request) {
  std::set<std::string> names;
  for (const v1::JobSpec& job : request->jobs()) {
    names.insert(job.secret_names().begin(), job.secret_names().end());
  }
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') {
      missing.push_back(name);
      continue;
    }
    v1::EnvironmentVariable* secret = request->add_secrets();
    secret->set_name(name);
    secret->set_value(value);
    if (secret->value().size() <= limits::kSecretBytesMax) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "the secret ", name, " has ", secret->value().size(), " bytes, at most ",
        limits::kSecretBytesMax, " are taken; put what is longer on the nodes as a file"));
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(absl::StrJoin(missing, ", "),
                   missing.size() == 1 ? " is a secret of the job and has no value here; set it"
                                       : " are secrets of the job and have no value here; set them",
                   " in the environment of this command (export ", missing.front(),
                   "=..), or leave ", missing.size() == 1 ? "it" : "them", " out"));
}

std::string ShortSecretsNote(const v1::SubmitJobsRequest& request) {
  std::vector<std::string> names;
  for (const v1::EnvironmentVariable& secret : request.secrets()) {
    if (secret.value().size() < limits::kMaskedBytesMin) names.push_back(secret.name());
  }
  if (names.empty()) return "";
  return absl::StrCat(absl::StrJoin(names, ", "), names.size() == 1 ? " is" : " are",
                      " shorter than ", limits::kMaskedBytesMin,
                      " bytes and will stand in the job's log as printed: do not print ",
                      names.size() == 1 ? "it" : "them", ", or choose longer values");
}

}  // namespace baton::client
