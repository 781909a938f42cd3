// The hands that do harm to a local cluster, and put things right again. Each node has a line to
// its scheduler that can be cut, and a metadata service in the dialect of one of three clouds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/chaos/line.h"
#include "client/chaos/metadata.h"
#include "client/chaos/plan.h"
#include "client/local/cluster.h"

namespace baton::client::chaos {

// What was done, in words: "freeze-task", "spot-b: rank 1 of job 0ab..".
struct Done {
  std::string kind;
  std::string target;
};

// One thread. Times are milliseconds of one steady clock.
class Hands {
 public:
  // A new cluster below `folder`.
  static absl::StatusOr<std::unique_ptr<Hands>> Start(
      const std::string& folder, const std::vector<std::string>& capacities, double cpus,
      const std::function<void(const std::string&)>& say);

  const LocalCluster& cluster() const { return cluster_; }

  // Does it, to whatever stands where the fault's pick points; a target that says "nobody" means
  // that there was nothing to hit.
  Done Do(const Fault& fault, int64_t now_ms);

  // Puts right what is due: frozen processes go on, dead nodes are replaced, lines are mended.
  absl::Status Heal(int64_t now_ms);
  // All at once.
  absl::Status HealAll();

  // Ends the cluster; then what of it is still there, a line each.
  absl::StatusOr<std::vector<std::string>> End();

 private:
  struct Seat {  // of a node
    std::unique_ptr<Line> line;
    std::unique_ptr<MetadataServer> metadata;
  };
  struct Cure {
    int64_t at_ms = 0;
    std::function<void()> what;
  };
  Hands() = default;
  absl::Status Furnish(const LocalCluster& cluster, LocalWorker* worker);
  std::string Kill(size_t node, bool daemon, bool tasks);
  std::string KillTask(const Fault& fault, bool newest);
  std::string Freeze(const Fault& fault, bool whole_node, int64_t now_ms);
  std::string Announce(const Fault& fault, size_t node, int64_t now_ms);
  void Later(int64_t at_ms, std::function<void()> what);
  std::vector<std::pair<size_t, LocalTask>> AllTasks() const;

  LocalCluster cluster_;
  std::vector<Seat> seats_;  // by worker
  std::vector<Cure> cures_;
  std::vector<int64_t> back_ms_;  // by worker: when a dead one is replaced; 0: at once
  int64_t scheduler_back_ms_ = 0;
};

}  // namespace baton::client::chaos
