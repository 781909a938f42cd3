// Takes from the artifact store what no job names any more, now and then, on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/artifact/local_dir.h"
#include "scheduler/edge/driver.h"

namespace baton::edge {

// Packages, data, checkpoints and outputs of all jobs that the scheduler knows. Asks the core's
// thread for a few thousand jobs at a time; a job that comes meanwhile has a young package, which
// no collection takes. Blocks; not on the core's thread.
absl::StatusOr<std::vector<std::string>> LiveManifests(Driver& driver);

class Collector {
 public:
  struct Options {
    int64_t interval_ms = 600'000;
    int64_t age_ms_min = 3'600'000;
  };
  // What lives beside what the jobs name; called on the collector's thread.
  struct Others {
    std::function<std::set<std::string>()> pinned_chunks;
    std::function<std::vector<std::string>()> manifests;
  };
  // All outlive this.
  Collector(Driver& driver, artifact::LocalDir& store, Others others, const Options& options);
  ~Collector();

 private:
  void Loop();
  void CollectOnce();

  Driver& driver_;
  artifact::LocalDir& store_;
  const Others others_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace baton::edge
