#include "worker/node_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/file_tree.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/link/spool_file.h"
#include "worker/metrics/program_file.h"
#include "worker/task/environment.h"
#include "worker/task/package.h"
#include "worker/task/process_tree.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

// sockaddr_un holds 107 bytes, and a name of up to ten digits comes behind.
constexpr size_t kSocketFolderBytesMax = 96;

constexpr time_t kKeepSeconds = 7 * 24 * 3600;

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("making the folder ", path));
}

}  // namespace

NodeFolder::NodeFolder(NodeFolder&& other) noexcept
    : path_(std::move(other.path_)),
      node_id_(std::move(other.node_id_)),
      sockets_(std::move(other.sockets_)),
      own_sockets_(std::exchange(other.own_sockets_, false)),
      lock_(std::exchange(other.lock_, -1)) {}

NodeFolder::~NodeFolder() {
  if (own_sockets_) RemoveTree(sockets_);
  if (lock_ >= 0) close(lock_);
}

absl::StatusOr<NodeFolder> NodeFolder::Open(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  fs::create_directories(absolute.parent_path(), error);
  NodeFolder folder;
  folder.path_ = absolute.string();
  while (folder.path_.size() > 1 && folder.path_.back() == '/') folder.path_.pop_back();
  BATON_RETURN_IF_ERROR(folder.Prepare());
  return folder;
}

absl::Status NodeFolder::Prepare() {
  BATON_RETURN_IF_ERROR(MakeFolder(path_));
  lock_ = open((path_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return ErrnoStatus(errno, absl::StrCat("the lock in ", path_));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("another worker runs on ", path_, "; give this one its own --dir"));
  }
  for (const char* inner : {"/tasks", "/spool", "/cache", "/kept"}) {
    BATON_RETURN_IF_ERROR(MakeFolder(path_ + inner));
  }
  const auto id = ReadFile(path_ + "/node_id");
  node_id_ = id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : "";
  if (node_id_.size() != 32) {
    node_id_ = RandomId();
    BATON_RETURN_IF_ERROR(WriteFileAtomically(path_ + "/node_id", node_id_ + "\n"));
  }
  sockets_ = path_ + "/sockets";
  if (sockets_.size() > kSocketFolderBytesMax) {
    char name[] = "/tmp/baton-XXXXXX";
    if (mkdtemp(name) == nullptr) return ErrnoStatus(errno, "a folder for sockets in /tmp");
    sockets_ = name;
    own_sockets_ = true;
  } else {
    RemoveTree(sockets_);
    BATON_RETURN_IF_ERROR(MakeFolder(sockets_));
  }
  const int killed = KillMarked(absl::StrCat(contract::kDeadlineFile, "=", path_, "/tasks/"));
  if (killed > 0) LogWarning(absl::StrCat("killed ", killed, " processes that a dead worker left"));
  ClearTasks();
  ForgetOldOutputs();
  return absl::OkStatus();
}

void NodeFolder::ForgetOldOutputs() const {
  const time_t now = time(nullptr);
  std::error_code error;
  for (auto at = fs::directory_iterator(kept(), error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    struct stat info {};
    const std::string folder = at->path().string();
    if (lstat(folder.c_str(), &info) == 0 && now - info.st_ctime > kKeepSeconds) RemoveTree(folder);
  }
}

void NodeFolder::ClearTasks() const {
  std::error_code error;
  for (auto at = fs::directory_iterator(path_ + "/tasks", error);
       !error && at != fs::directory_iterator(); at.increment(error)) {
    const TaskPlaces places{.folder = at->path().string()};
    const std::string metrics = places.metrics();
    MetricsAppender all(metrics);
    ProgramFile(places.program_metrics()).CopyTo(all, ProgramFile::Writer::kEnded);
    const std::string kept = absl::StrCat(spool(), "/", at->path().filename().string(), ".metrics");
    struct stat info {};
    if (lstat(metrics.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      (void)rename(metrics.c_str(), kept.c_str());
    }
    RemoveTree(at->path().string());
  }
}

std::string NodeFolder::cluster_id() const {
  const auto id = ReadFile(path_ + "/cluster_id");
  return id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : "";
}

void NodeFolder::KeepClusterId(const std::string& id) const {
  const absl::Status kept = WriteFileAtomically(path_ + "/cluster_id", id + "\n");
  if (!kept.ok()) LogWarning(std::string(kept.message()));
}

std::string NodeFolder::TaskFolder(const TaskKey& key) const {
  const std::string name = SpoolName(key, true);
  return absl::StrCat(path_, "/tasks/", name.substr(0, name.rfind('.')));
}

}  // namespace baton::worker
