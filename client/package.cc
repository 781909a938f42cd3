#include "client/package.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/environment_file.h"
#include "client/folder_plan.h"
#include "client/wire_spec.h"
#include "common/atomic_file.h"
#include "common/image/folder.h"
#include "common/job_limits.h"
#include "common/metrics/pattern.h"
#include "common/spec/entry.h"
#include "common/spec/files.h"
#include "common/spec/write.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

// The effective spec's name in a package; no file of a working folder can have it.
constexpr char kSpecName[] = ".baton/spec.yaml";
// What UploadPackage adds to WireSpec's: two digests, kSpecName and the file to install from; and
// to each data set.
constexpr size_t kWireBytesOfUpload = 256;
constexpr size_t kWireBytesOfSet = 96;

// Where a data file lies below BATON_DATA_DIR: as written when that stays inside, else by name.
std::string PackedName(const std::string& uri, std::set<std::string>* taken) {
  const fs::path written = fs::path(uri).lexically_normal();
  std::string name = written.string();
  if (absl::EndsWith(name, "/")) name.pop_back();  // "photos/" is a folder, as "photos" is
  if (written.is_absolute() || absl::StartsWith(name, ".."))
    name = fs::path(name).filename().string();
  if (name.empty() || name == "." || name == "..") name = "data";
  const std::string wish = name;
  for (int n = 2; !taken->insert(name).second; ++n) name = absl::StrCat(n, "/", wish);
  return name;
}

std::string TooLarge(const std::string& weights, int64_t bytes) {
  return absl::StrCat(
      weights, " has ", bytes >> 20, " MiB; with the data that is more than the ",
      kDataBytesMax >> 20,
      " MiB that a submit uploads. Put the file on every node, say below "
      "/srv/models (`baton model fetch NAME --to /srv/models` there, for a published model), and "
      "name it as file:///srv/models/",
      fs::path(weights).filename().string());
}

// What is sent of what lies at `path`: a folder's files begin with a slash; "" is the file itself.
std::vector<std::string> PartsOf(const spec::NamedFile& file, const std::string& path) {
  if (file.kind == spec::NamedFile::Kind::kFile) {
    std::error_code error;
    return fs::exists(path, error) ? std::vector<std::string>{""} : std::vector<std::string>();
  }
  std::vector<std::string> parts;
  const absl::StatusOr<image::FolderListing> listing = image::ListFolder(path);
  if (!listing.ok()) return parts;
  for (const image::FolderFile& part : listing->files) parts.push_back("/" + part.path);
  return parts;
}

// Files that can't be read are a mistake by spec::CheckFiles already, and left out here.
void PlanData(const std::string& folder, PackagePlan* plan, spec::Reading* reading) {
  std::set<std::string> taken;
  std::set<std::string> sent;                 // a folder may lie in another
  std::map<std::string, std::string> packed;  // of each path, so that one file is sent once
  std::pair<std::string, int64_t> weights;    // path and bytes
  for (const spec::NamedFile& file : spec::NamedFiles(plan->spec)) {
    if (spec::IsOnNode(file.source->uri)) continue;
    const absl::StatusOr<std::string> path = spec::ResolveUri(file.source->uri, folder);
    if (!path.ok()) continue;
    const bool is_weights = file.field == "weights";
    auto [entry, is_new] = packed.try_emplace(*path);
    if (is_new) {
      const std::vector<std::string> parts = PartsOf(file, *path);
      if (parts.empty()) continue;
      entry->second = PackedName(file.source->uri, &taken);
      const int64_t bytes_before = plan->data_bytes;
      for (const std::string& part : parts) {
        std::error_code error;
        const auto bytes = fs::file_size(*path + part, error);
        if (error || !sent.insert(entry->second + part).second) continue;
        plan->data.push_back({entry->second + part, *path + part});
        plan->data_bytes += static_cast<int64_t>(bytes);
      }
      if (is_weights) weights = {*path, plan->data_bytes - bytes_before};
    }
    file.source->uri = entry->second;
  }
  if (plan->data_bytes <= kDataBytesMax) return;
  if (plan->data_bytes - weights.second <= kDataBytesMax) {
    reading->AddMistake("weights", TooLarge(weights.first, weights.second));
    return;
  }
  reading->AddMistake(
      "data", absl::StrCat("the files have ", plan->data_bytes >> 20, " MiB, more than the ",
                           kDataBytesMax >> 20,
                           " MiB that a submit uploads; put them on the nodes and name them as "
                           "file:///path"));
}

void PlanProgram(const std::string& folder, PackagePlan* plan, spec::Reading* reading) {
  FolderPlan found = PlanFolder(folder);
  for (std::string& mistake : found.mistakes) reading->AddMistake("command", std::move(mistake));
  plan->files = std::move(found.files);
  plan->file_bytes = found.bytes;
  plan->left_out = std::move(found.left_out);
  plan->held_back = std::move(found.held_back);
  const std::string& entry = plan->spec.entry;
  if (entry.empty() || !found.mistakes.empty()) return;
  const std::string name = fs::path(entry).lexically_normal().string();
  const bool sent =
      std::any_of(plan->files.begin(), plan->files.end(),
                  [&](const artifact::SourceFile& file) { return file.path == name; });
  if (sent) return;
  std::error_code ignored;
  reading->AddMistake(
      "entry", fs::exists(fs::path(folder) / name, ignored)
                   ? absl::StrCat(entry,
                                  " is among what stays here, so that nothing would run; take "
                                  "it back by the line !/",
                                  name, " in .batonignore")
                   : absl::StrCat("no file ", entry, " in ", folder,
                                  "; mend the path, which starts at that folder"));
}

// A private folder that is gone when the object is.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "baton-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void CheckMetrics(const spec::JobSpec& spec, spec::Reading* reading) {
  if (spec.metrics.size() > kMetricPatternsMax) {
    reading->AddMistake("metrics", absl::StrCat("must have at most ", kMetricPatternsMax,
                                                " metrics, has ", spec.metrics.size(),
                                                "; have the program write the others to the "
                                                "file that BATON_METRICS_FILE names"));
    return;
  }
  for (const spec::MetricPattern& metric : spec.metrics) {
    const absl::Status status = CheckMetricPattern(metric.name, metric.pattern);
    if (status.ok()) continue;
    reading->AddMistake(absl::StrCat("metrics.", metric.name), std::string(status.message()));
  }
}

}  // namespace

PackagePlan PlanPackage(const std::string& folder, spec::Reading* reading) {
  PackagePlan plan;
  plan.spec = reading->spec;
  CheckMetrics(plan.spec, reading);
  if (plan.spec.native.has_value()) {
    PlanData(folder, &plan, reading);
  } else if (!plan.spec.command.empty()) {
    plan.sets = PlanDataSets(folder, reading);
    plan.spec.data = reading->spec.data;
    PlanProgram(folder, &plan, reading);
  }
  const size_t bytes = WireSpec(plan.spec).ByteSizeLong() + kWireBytesOfUpload +
                       plan.spec.data.size() * kWireBytesOfSet;
  if (bytes > limits::kSpecBytesMax) {
    reading->AddMistake("", absl::StrCat("has ", bytes, " bytes with its params and env, at most ",
                                         limits::kSpecBytesMax,
                                         " are taken; put what is long into a file beside it"));
  }
  return plan;
}

absl::StatusOr<v1::JobSpec> UploadPackage(const PackagePlan& plan, artifact::Store& store,
                                          const artifact::TransferOptions& options) {
  const TemporaryFolder temporary;
  if (temporary.path().empty()) return ErrnoStatus(errno, "make a temporary folder");
  const std::string spec_file = temporary.path() + "/spec.yaml";
  BATON_RETURN_IF_ERROR(WriteFileAtomically(spec_file, spec::WriteSpec(plan.spec)));
  std::vector<artifact::SourceFile> files = plan.files;
  files.push_back({kSpecName, spec_file});
  v1::JobSpec wire = WireSpec(plan.spec);
  wire.set_spec_file(kSpecName);
  const std::string environment = EnvironmentFile(plan);
  if (!environment.empty()) wire.mutable_prepare()->set_file(environment);
  BATON_ASSIGN_OR_RETURN(const artifact::Uploaded package, artifact::Upload(files, store, options));
  wire.set_package_digest(package.manifest);
  for (const DataPlan& set : plan.sets) {
    BATON_ASSIGN_OR_RETURN(const artifact::Uploaded sent,
                           artifact::Upload(set.files, store, options));
    v1::DataSet* data = wire.mutable_data(static_cast<int>(set.index));
    data->set_digest(sent.manifest);
    data->set_bytes(sent.progress.bytes_total);
  }
  if (!plan.data.empty()) {
    BATON_ASSIGN_OR_RETURN(const artifact::Uploaded data,
                           artifact::Upload(plan.data, store, options));
    wire.set_data_digest(data.manifest);
  }
  return wire;
}

}  // namespace baton::client
