// The worker's folder (--dir): what it keeps between two lives. Layout: node_id, cluster_id, lock,
// tasks/JOB.ATTEMPT.RANK.TOKEN/ (task/environment.h), kept/, spool/, cache/, sockets/,
// environments/ (setup/folders.h).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/core/task.h"

namespace baton::worker {

class NodeFolder {
 public:
  // Makes the folder (0700) where it is missing and locks it. FailedPrecondition when another
  // worker runs on it. Ends what a worker that died here left: the processes of its tasks are
  // killed, their files go, but for what is still to be sent.
  static absl::StatusOr<NodeFolder> Open(const std::string& path);
  ~NodeFolder();
  NodeFolder(NodeFolder&& other) noexcept;
  NodeFolder& operator=(NodeFolder&&) = delete;

  const std::string& path() const { return path_; }
  const std::string& node_id() const { return node_id_; }
  std::string cluster_id() const;
  void KeepClusterId(const std::string& id) const;

  std::string spool() const { return path_ + "/spool"; }
  // Outputs that could not be uploaded, one folder per task, for a week.
  std::string kept() const { return path_ + "/kept"; }
  std::string cache() const { return path_ + "/cache"; }
  std::string environments() const { return path_ + "/environments"; }
  // A folder for sockets whose path is short enough for them.
  const std::string& sockets() const { return sockets_; }
  std::string TaskFolder(const TaskKey& key) const;

 private:
  NodeFolder() = default;
  absl::Status Prepare();
  void ClearTasks() const;
  void ForgetOldOutputs() const;

  std::string path_;
  std::string node_id_;
  std::string sockets_;
  bool own_sockets_ = false;  // outside of `path_`
  int lock_ = -1;
};

}  // namespace baton::worker
