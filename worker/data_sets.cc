#include "worker/data_sets.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/data_uri.h"
#include "common/status.h"
#include "worker/no_throw.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

constexpr char kNodePrefix[] = "file://";

// Read-only for whoever opens it by mistake; its owner could still take that back.
void Seal(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0 || (info.st_mode & 0222) == 0) return;
  std::error_code ignored;
  std::error_code error;
  const fs::perms writing =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_symlink(ignored)) continue;
    fs::permissions(at->path(), writing, fs::perm_options::remove, ignored);
  }
  fs::permissions(folder, writing, fs::perm_options::remove, ignored);
}

// A set that is a file is linked to as one.
std::string TargetIn(const std::string& folder) {
  std::error_code error;
  const std::string file = absl::StrCat(folder, "/", kDataFile);
  return fs::exists(file, error) ? file : folder;
}

std::string ValueIn(const std::vector<std::string>& environment, const std::string& name) {
  for (const std::string& variable : environment) {
    if (absl::StartsWith(variable, name) && variable.size() > name.size() &&
        variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
  }
  return "";
}

std::string JobsValue(const TaskSpec& spec, absl::string_view name) {
  for (const auto* variables : {&spec.secrets, &spec.environment}) {
    for (const auto& [known, value] : *variables) {
      if (known == name) return value;
    }
  }
  return "";
}

// Variables that belong together come from one owner: a key of the job's does not go with a token
// of the node's, and no key of the node's to a server of the job's choice.
std::string ValueOf(const TaskSpec& spec, const std::vector<std::string>& own,
                    const std::string& name) {
  static const std::vector<std::vector<std::string>> kTogether = {
      {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
      {"AWS_REGION", "AWS_DEFAULT_REGION"},
      {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3",
       "AWS_ENDPOINT_URL"}};
  for (const std::vector<std::string>& group : kTogether) {
    if (std::find(group.begin(), group.end(), name) == group.end()) continue;
    const bool is_jobs = std::any_of(group.begin(), group.end(), [&](const std::string& one) {
      return !JobsValue(spec, one).empty();
    });
    return is_jobs ? JobsValue(spec, name) : ValueIn(own, name);
  }
  const std::string value = JobsValue(spec, name);
  return value.empty() ? ValueIn(own, name) : value;
}

// The name in front, and the job to blame where a condition is not met; of this machine's own
// troubles (blame.h) it stays told that they are.
absl::Status Named(const DataSet& data, const absl::Status& status) {
  const bool is_jobs = absl::IsFailedPrecondition(status) && !IsOwnMachines(status);
  absl::Status named(is_jobs ? absl::StatusCode::kInvalidArgument : status.code(),
                     absl::StrCat("data ", data.name, ": ", status.message()));
  status.ForEachPayload([&named](absl::string_view type, const absl::Cord& payload) {
    named.SetPayload(type, payload);
  });
  return named;
}

}  // namespace

class DataSets::Cache : public ContentCache {
 public:
  explicit Cache(ArtifactCache& cache) : cache_(cache) {}
  absl::StatusOr<std::string> Acquire(const std::string& name, const Fill& fill,
                                      const std::function<bool()>& cancelled) override {
    return cache_.AcquireFilled(name, fill, cancelled);
  }
  void Release(const std::string& name) override { cache_.Release(name); }

 private:
  ArtifactCache& cache_;
};

DataSets::DataSets(ArtifactCache& cache, const std::string& parts, std::vector<std::string> own)
    : cache_(cache),
      contents_(std::make_unique<Cache>(cache)),
      remote_(parts, *contents_),
      own_(std::move(own)) {}

DataSets::~DataSets() = default;

absl::StatusOr<DataSets::Found> DataSets::FindRemote(const TaskSpec& spec, const DataSet& data,
                                                     const std::function<bool()>& cancelled) {
  RemoteRequest request{.uri = data.uri,
                        .sha256 = data.sha256,
                        .find = [&](const std::string& name) { return ValueOf(spec, own_, name); },
                        .cancelled = cancelled};
  bool again = false;
  for (const Fetched& before : spec.fetched) {
    if (before.name != data.name || !request.sha256.empty()) continue;
    request.sha256 = before.sha256;
    again = true;
  }
  absl::StatusOr<RemoteData> got = remote_.Acquire(request);
  if (absl::IsFailedPrecondition(got.status()) && !IsOwnMachines(got.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        got.status().message(),
        again ? ", which it had when this job fetched it first: data whose checksum changed; "
                "submit the job anew to train on the new bytes"
              : ", which the job asks for; mend the sha256 in its spec, or the file"));
  }
  BATON_RETURN_IF_ERROR(got.status());
  Seal(got->folder);
  cache_.MarkData(got->name, got->sha256);
  return Found{.target = TargetIn(got->folder),
               .acquired = got->name,
               .fetched = {data.name, got->sha256, got->bytes}};
}

absl::StatusOr<DataSets::Found> DataSets::Find(const TaskSpec& spec, const DataSet& data,
                                               const std::function<bool()>& cancelled) {
  if (!IsDataName(data.name)) {
    return absl::InvalidArgumentError("is no name; use letters, digits, '.', '_' and '-'");
  }
  if (!data.digest.empty()) {
    BATON_ASSIGN_OR_RETURN(const std::string folder, cache_.Acquire(data.digest, cancelled));
    Seal(folder);
    cache_.MarkData(data.digest, data.digest);
    return Found{.target = TargetIn(folder), .acquired = data.digest, .fetched = {}};
  }
  BATON_RETURN_IF_ERROR(CheckDataUri(data.uri));
  switch (DataKindOf(data.uri)) {
    case DataKind::kNode: {
      const std::string path = data.uri.substr(sizeof(kNodePrefix) - 1);
      if (access(path.c_str(), R_OK) == 0)
        return Found{.target = path, .acquired = {}, .fetched = {}};
      // Another node may have it.
      return absl::UnavailableError(absl::StrCat(
          path, " can't be read on this node: ", ErrnoStatus(errno, "open").message()));
    }
    case DataKind::kWeb:
    case DataKind::kS3:
      return FindRemote(spec, data, cancelled);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat(data.uri, " is nothing that a node could fetch"));
  }
}

absl::StatusOr<PreparedData> DataSets::Prepare(const TaskSpec& spec, const std::string& folder,
                                               const std::function<bool()>& cancelled) {
  PreparedData prepared;
  if (spec.data.empty()) return prepared;
  if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", folder));
  }
  prepared.folder = folder;
  for (const DataSet& data : spec.data) {
    absl::StatusOr<Found> found = Find(spec, data, cancelled);
    absl::Status status = found.status();
    if (status.ok()) {
      if (!found->acquired.empty()) prepared.acquired.push_back(found->acquired);
      if (!found->fetched.sha256.empty()) prepared.fetched.push_back(found->fetched);
      const std::string link = absl::StrCat(folder, "/", data.name);
      if (symlink(found->target.c_str(), link.c_str()) != 0) status = ErrnoStatus(errno, link);
    }
    if (status.ok()) continue;
    for (const std::string& name : prepared.acquired) cache_.Release(name);
    return Named(data, status);
  }
  return prepared;
}

DataPreparation::DataPreparation(DataSets& sets, ArtifactCache& cache, const TaskSpec& spec,
                                 const std::string& folder, std::function<bool()> cancelled)
    : cache_(cache) {
  if (spec.data.empty()) return;
  thread_ = std::thread([this, &sets, &spec, folder, cancelled = std::move(cancelled)] {
    const absl::Status ran = WithoutThrow([&] {
      result_ = sets.Prepare(spec, folder, [&] { return given_up_.load() || cancelled(); });
      return absl::OkStatus();
    });
    if (!ran.ok()) result_ = ran;
  });
}

DataPreparation::~DataPreparation() {
  if (!thread_.joinable()) return;
  given_up_ = true;
  thread_.join();
  if (!result_.ok()) return;
  for (const std::string& name : result_->acquired) cache_.Release(name);
}

absl::StatusOr<PreparedData> DataPreparation::Take() {
  if (thread_.joinable()) thread_.join();
  return std::move(result_);
}

}  // namespace baton::worker
