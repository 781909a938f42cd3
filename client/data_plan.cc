#include "client/data_plan.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/manifest.h"
#include "common/data_uri.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

constexpr char kDataFlag[] = "--data";

// A wish for a file or folder, and no name of pushed data.
bool LooksLikePath(const std::string& uri) {
  return uri.find('/') != std::string::npos || uri == "." || uri == "..";
}

}  // namespace

absl::StatusOr<DataPlan> PlanData(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("no file or folder ", path, " (", error.message(), ")"));
  }
  DataPlan plan;
  if (fs::is_regular_file(real, error)) {
    plan.files.push_back({kDataFile, real.string()});
  } else if (fs::is_directory(real, error)) {
    auto files = artifact::ListFolder(real.string());
    if (!files.ok()) return files.status();
    plan.files = *std::move(files);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(path, " is neither a file nor a folder"));
  }
  if (plan.files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no files"));
  }
  if (plan.files.size() > artifact::kManifestFilesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has ", plan.files.size(), " files, at most ", artifact::kManifestFilesMax,
        " are taken; pack them into fewer (tar, zip, parquet, webdataset)"));
  }
  for (const artifact::SourceFile& file : plan.files) {
    if (::access(file.from.c_str(), R_OK) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(file.from,
                                                     " can't be read: ", std::strerror(errno),
                                                     "; mend its permissions (chmod u+r)"));
    }
    plan.bytes += static_cast<int64_t>(fs::file_size(file.from, error));
  }
  return plan;
}

std::vector<DataPlan> PlanDataSets(const std::string& folder, spec::Reading* reading) {
  std::vector<DataPlan> plans;
  std::vector<spec::DataSet>& sets = reading->spec.data;
  for (size_t i = 0; i < sets.size(); ++i) {
    if (DataKindOf(sets[i].uri) != DataKind::kPath) continue;
    const fs::path path = fs::path(folder) / sets[i].uri;  // an absolute one stays as it is
    std::error_code error;
    if (!LooksLikePath(sets[i].uri) && IsDataName(sets[i].uri) && !fs::exists(path, error)) {
      sets[i].uri = "data:" + sets[i].uri;
      continue;
    }
    absl::StatusOr<DataPlan> plan = PlanData(path.string());
    if (!plan.ok()) {
      reading->AddMistake(absl::StrCat("data.", sets[i].name),
                          std::string(plan.status().message()));
      continue;
    }
    plan->index = i;
    plan->name = sets[i].name;
    plans.push_back(*std::move(plan));
  }
  return plans;
}

spec::Setting DataSetting(const std::string& text) {
  spec::Setting setting = spec::MapSetting(kDataFlag, text, "data");
  if (!setting.refusal.empty()) {
    setting.refusal =
        "must be NAME=URI, e.g. --data train=./data or --data train=s3://bucket/train/";
    return setting;
  }
  std::string& uri = setting.value.text;
  std::error_code error;
  if (DataKindOf(uri) == DataKind::kPath && (LooksLikePath(uri) || fs::exists(uri, error))) {
    const fs::path whole = fs::absolute(uri, error);
    if (!error) uri = whole.lexically_normal().string();
  }
  return setting;
}

}  // namespace baton::client
