#include "client/package.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/folder_plan.h"
#include "common/atomic_file.h"
#include "common/image/folder.h"
#include "common/job_limits.h"
#include "common/spec/entry.h"
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
  const std::vector<std::string> words = spec::ProgramWords(spec);
  wire.mutable_command()->Assign(words.begin(), words.end());
  for (const auto& [key, value] : spec.require) {
    v1::Label* label = wire.add_require();
    label->set_key(key);
    label->set_value(value);
  }
  for (const auto& [name, value] : spec.env) {
    v1::EnvironmentVariable* variable = wire.add_environment();
    variable->set_name(name);
    variable->set_value(value);
  }
  // By this variable the worker knows that the task wants all of them (worker/DESIGN.md).
  if (spec.slurm && spec.env.count("SLURM_JOB_NAME") == 0) {
    v1::EnvironmentVariable* variable = wire.add_environment();
    variable->set_name("SLURM_JOB_NAME");
    variable->set_value(spec.name);
  }
  if (spec.native.has_value()) wire.set_shards(static_cast<int32_t>(spec.native->shards));
  return wire;
}

PackagePlan PlanPackage(const std::string& folder, spec::Reading* reading) {
  PackagePlan plan;
  plan.spec = reading->spec;
  if (plan.spec.native.has_value()) {
    PlanData(folder, &plan, reading);
  } else if (!plan.spec.command.empty()) {
    PlanProgram(folder, &plan, reading);
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
