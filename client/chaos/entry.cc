#include "client/chaos/entry.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/chaos/errand.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/hash.h"
#include "common/random.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client::chaos {
namespace {

namespace fs = std::filesystem;

constexpr int kRows = 4096;
constexpr int kFeatures = 16;
constexpr char kSpec[] = R"(# A perceptron on points that a seeded generator made: no observations.
name: chaos
ranks: 1..4
epochs: 60
batch_size: 64
seed: 1
retries: 1000
data:
  format: csv
  train: {uri: points.csv}
  target: class
  test_fraction: 0.1
model:
  input: [16]
  layers:
    - dense: {out: 512}
    - relu
    - dense: {out: 512}
    - relu
    - dense: {out: 4}
  loss: softmax_cross_entropy
optimizer: {name: adam, lr: 0.0005}
)";

// Points around four centres.
std::string Points() {
  Random random(1);
  std::string text;
  for (int i = 0; i < kFeatures; ++i) absl::StrAppend(&text, "x", i, ",");
  absl::StrAppend(&text, "class\n");
  for (int row = 0; row < kRows; ++row) {
    const int64_t kind = random.Between(0, 3);
    for (int i = 0; i < kFeatures; ++i) {
      const int64_t centre = ((kind + i) % 4) * 40 - 60;
      absl::StrAppend(&text, static_cast<double>(centre + random.Between(-100, 100)) / 100, ",");
    }
    absl::StrAppend(&text, kind, "\n");
  }
  return text;
}

// What `collect` adds to a job's own files.
bool IsOurs(absl::string_view path) {
  return path == "job.json" || path == "metrics.jsonl" || path == "metrics.csv" ||
         path == ".baton-collect.json" || absl::StartsWith(path, "logs/");
}

absl::StatusOr<std::string> DigestOfFiles(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    const std::string path = fs::relative(entry.path(), folder).generic_string();
    if (entry.is_regular_file(error) && !IsOurs(path)) paths.push_back(path);
  }
  if (paths.empty()) return absl::NotFoundError("it left no output");
  std::sort(paths.begin(), paths.end());
  Sha256 digest;
  for (const std::string& path : paths) {
    BATON_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(absl::StrCat(folder, "/", path)));
    digest.Update(absl::StrCat(path, " ", bytes.size(), "\n"));
    digest.Update(bytes);
  }
  return digest.FinishHex();
}

}  // namespace

absl::StatusOr<std::string> WriteOwnEntry(const std::string& folder) {
  const std::string spec = folder + "/chaos.yaml";
  BATON_RETURN_IF_ERROR(WriteFileAtomically(spec, kSpec));
  BATON_RETURN_IF_ERROR(WriteFileAtomically(folder + "/points.csv", Points()));
  return spec;
}

absl::StatusOr<std::string> Submit(const std::string& address, const std::string& name,
                                   const std::vector<std::string>& entry) {
  std::vector<std::string> words = {"--address", address, "train", "-o", "json", "--name", name};
  words.insert(words.end(), entry.begin(), entry.end());
  constexpr int kTries = 20;
  for (int tried = 1;; ++tried) {
    BATON_ASSIGN_OR_RETURN(const Errand errand, RunBaton(words));
    const auto json = nlohmann::json::parse(errand.out, nullptr, false);
    if (errand.exit_code == 0 && json.is_object()) return json.value("id", "");
    // Bad flags and specs stay bad; what else there is may be the game's own doing.
    if (errand.exit_code == 2 || tried == kTries) {
      return absl::InvalidArgumentError(
          absl::StrCat("the job could not be submitted: ", errand.err));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

absl::StatusOr<std::string> DigestOfOutputs(const std::string& address, const std::string& job,
                                            const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const Errand errand,
                         RunBaton({"--address", address, "collect", job, "--to", folder}));
  if (errand.exit_code != 0) {
    return absl::UnavailableError(absl::StrCat("job ", job, " can't be collected: ", errand.err));
  }
  const absl::StatusOr<std::string> model =
      ReadFile(absl::StrCat(folder, "/", contract::kModelFile));
  if (model.ok()) return Sha256Hex(*model);
  return DigestOfFiles(folder);
}

}  // namespace baton::client::chaos
