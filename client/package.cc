#include "client/package.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ignore.h"
#include "common/atomic_file.h"
#include "common/image/folder.h"
#include "common/job_limits.h"
#include "common/spec/files.h"
#include "common/spec/write.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

// The effective spec's name in a package; no file of a working folder can have it.
constexpr char kSpecName[] = ".baton/spec.yaml";
// What UploadPackage adds to WireSpec's: two digests and kSpecName.
constexpr size_t kWireBytesOfUpload = 256;

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

std::string LargestFolders(const std::map<std::string, int64_t>& sizes) {
  std::vector<std::pair<int64_t, std::string>> largest;
  for (const auto& [folder, bytes] : sizes) largest.emplace_back(bytes, folder);
  std::sort(largest.rbegin(), largest.rend());
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(5, largest.size()); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", largest[i].second, " (", largest[i].first >> 20,
                    " MiB)");
  }
  return text;
}

// What `baton local up` keeps in its --dir (client/local/cluster.h). It changes while it is read,
// and holds the packages of all jobs.
const std::set<std::string>& ClusterNames() {
  static const std::set<std::string> names = {"local.json", "lock",    "scheduler",
                                              "blobs",      "workers", "log"};
  return names;
}

bool HoldsCluster(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "local.json", ignored) &&
         fs::is_directory(folder / "scheduler", ignored) &&
         fs::is_directory(folder / "workers", ignored);
}

void PlanFolder(const std::string& folder, PackagePlan* plan, spec::Reading* reading) {
  const absl::StatusOr<std::string> rules_text = ReadFile(folder + "/.batonignore");
  const IgnoreRules rules(rules_text.ok() ? *rules_text : "");
  std::map<std::string, int64_t> sizes;
  const bool is_cluster = HoldsCluster(folder);
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    const std::string name = it->path().lexically_relative(folder).string();
    const bool is_folder = it->is_directory() && !it->is_symlink();
    const bool sendable = is_folder || (it->is_regular_file() && !it->is_symlink());
    const bool of_cluster =
        (is_folder && HoldsCluster(it->path())) || (is_cluster && ClusterNames().count(name) > 0);
    if (of_cluster) ++plan->clusters_left_out;
    if (!sendable || of_cluster ||
        rules.Ignores(name, is_folder ? EntryKind::kFolder : EntryKind::kFile)) {
      ++plan->left_out;
      if (is_folder) it.disable_recursion_pending();
      continue;
    }
    if (is_folder) continue;
    const auto bytes = static_cast<int64_t>(it->file_size());
    plan->files.push_back({name, it->path().string()});
    plan->file_bytes += bytes;
    sizes[fs::path(name).has_parent_path() ? fs::path(name).begin()->string() : "."] += bytes;
  }
  if (error) {
    reading->AddMistake("command",
                        absl::StrCat("its folder ", folder, " can't be read: ", error.message(),
                                     "; leave it out by a .batonignore, or mend it"));
  } else if (plan->file_bytes > kFolderBytesMax) {
    reading->AddMistake(
        "command",
        absl::StrCat("its folder ", folder, " has ", plan->file_bytes >> 20, " MiB, more than the ",
                     kFolderBytesMax >> 20,
                     " MiB that a package may have; the largest: ", LargestFolders(sizes),
                     "; leave out what the job does not need by a .batonignore"));
  }
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

v1::NoticeSignal WireSignal(spec::NoticeSignal signal) {
  switch (signal) {
    case spec::NoticeSignal::kTerm:
      return v1::NOTICE_SIGNAL_TERM;
    case spec::NoticeSignal::kUsr1:
      return v1::NOTICE_SIGNAL_USR1;
    case spec::NoticeSignal::kNone:
      return v1::NOTICE_SIGNAL_NONE;
  }
  return v1::NOTICE_SIGNAL_TERM;
}

v1::Capacity WireCapacity(spec::Capacity capacity) {
  switch (capacity) {
    case spec::Capacity::kSpot:
      return v1::CAPACITY_SPOT;
    case spec::Capacity::kOnDemand:
      return v1::CAPACITY_ON_DEMAND;
    case spec::Capacity::kAuto:
      return v1::CAPACITY_AUTO;
  }
  return v1::CAPACITY_AUTO;
}

}  // namespace

v1::JobSpec WireSpec(const spec::JobSpec& spec) {
  v1::JobSpec wire;
  wire.set_name(spec.name);
  wire.set_project(spec.project);
  wire.set_priority(static_cast<int32_t>(spec.priority));
  wire.mutable_ranks()->set_min(static_cast<int32_t>(spec.ranks.min));
  wire.mutable_ranks()->set_max(static_cast<int32_t>(spec.ranks.max));
  v1::Resources* resources = wire.mutable_resources();
  resources->set_cpus_milli(static_cast<int32_t>(spec.resources.cpu_millis));
  resources->set_memory_bytes(spec.resources.memory_bytes);
  resources->set_disk_bytes(spec.resources.disk_bytes);
  resources->set_gpus(static_cast<int32_t>(spec.resources.gpus));
  resources->set_gpu_type(spec.resources.gpu_type);
  resources->set_gpu_memory_bytes(spec.resources.gpu_memory_bytes);
  wire.set_retries(static_cast<int32_t>(spec.retries));
  wire.set_capacity(WireCapacity(spec.capacity));
  wire.set_launch(v1::LAUNCH_RANK);
  v1::CheckpointPolicy* checkpoint = wire.mutable_checkpoint();
  checkpoint->set_from(spec.checkpoint.from == spec::CheckpointPolicy::From::kRank0
                           ? v1::CheckpointPolicy::RANK0
                           : v1::CheckpointPolicy::ANY);
  checkpoint->set_keep(static_cast<int32_t>(spec.checkpoint.keep));
  checkpoint->set_every_ms(spec.checkpoint.every_ms);
  checkpoint->set_every_steps(spec.checkpoint.every_steps);
  checkpoint->mutable_globs()->Assign(spec.checkpoint_globs.begin(), spec.checkpoint_globs.end());
  if (!spec.command.empty()) wire.set_notice_signal(WireSignal(spec.notice_signal));
  wire.set_time_limit_ms(spec.time_limit_ms);
  wire.set_params_json(spec.params_json);
  wire.mutable_command()->Assign(spec.command.begin(), spec.command.end());
  for (const auto& [name, value] : spec.env) {
    v1::EnvironmentVariable* variable = wire.add_environment();
    variable->set_name(name);
    variable->set_value(value);
  }
  if (spec.native.has_value()) wire.set_shards(static_cast<int32_t>(spec.native->shards));
  return wire;
}

PackagePlan PlanPackage(const std::string& spec_file, spec::Reading* reading) {
  PackagePlan plan;
  plan.spec = reading->spec;
  const fs::path parent = fs::path(spec_file).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (plan.spec.native.has_value()) {
    PlanData(folder, &plan, reading);
  } else if (!plan.spec.command.empty()) {
    PlanFolder(folder, &plan, reading);
  }
  const size_t bytes = WireSpec(plan.spec).ByteSizeLong() + kWireBytesOfUpload;
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
  BATON_ASSIGN_OR_RETURN(const artifact::Uploaded package, artifact::Upload(files, store, options));
  wire.set_package_digest(package.manifest);
  if (!plan.data.empty()) {
    BATON_ASSIGN_OR_RETURN(const artifact::Uploaded data,
                           artifact::Upload(plan.data, store, options));
    wire.set_data_digest(data.manifest);
  }
  return wire;
}

}  // namespace baton::client
