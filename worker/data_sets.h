// The data sets of a task (`data` in a spec): uploaded ones from the scheduler's store, others by
// their URI, each a link NAME in a folder that becomes BATON_DATA_DIR.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/artifact_cache.h"
#include "worker/core/task.h"
#include "worker/data/remote.h"

namespace baton::worker {

struct PreparedData {
  std::string folder;                 // BATON_DATA_DIR; empty: the spec has no such data
  std::vector<Fetched> fetched;       // by a URI
  std::vector<std::string> acquired;  // of the cache, to be released
};

// Thread-safe; calls may take long.
class DataSets {
 public:
  // `cache` outlives this; `parts` is for what is not whole yet. `own` is the worker's environment,
  // for the credentials of S3 that a job does not have.
  DataSets(ArtifactCache& cache, const std::string& parts, std::vector<std::string> own);
  ~DataSets();

  // Makes `folder`. On an error nothing is in use. Cancelled; InvalidArgument, NotFound and
  // DataLoss where the job is to blame, in words that name the data set; others are the node's
  // fault, and another node may fare better.
  absl::StatusOr<PreparedData> Prepare(const TaskSpec& spec, const std::string& folder,
                                       const std::function<bool()>& cancelled);

 private:
  class Cache;
  struct Found {
    std::string target;    // what the link leads to
    std::string acquired;  // empty: nothing of the cache
    Fetched fetched;       // without a SHA-256: nothing was fetched
  };
  absl::StatusOr<Found> Find(const TaskSpec& spec, const DataSet& data,
                             const std::function<bool()>& cancelled);
  absl::StatusOr<Found> FindRemote(const TaskSpec& spec, const DataSet& data,
                                   const std::function<bool()>& cancelled);

  ArtifactCache& cache_;
  const std::unique_ptr<Cache> contents_;
  RemoteFetcher remote_;
  const std::vector<std::string> own_;
};

// A preparation in the background, from its construction on.
class DataPreparation {
 public:
  // All outlive this.
  DataPreparation(DataSets& sets, ArtifactCache& cache, const TaskSpec& spec,
                  const std::string& folder, std::function<bool()> cancelled);
  // Gives it up, and what it has acquired back, unless it was taken.
  ~DataPreparation();
  DataPreparation(const DataPreparation&) = delete;
  DataPreparation& operator=(const DataPreparation&) = delete;

  // Waits for its end; once.
  absl::StatusOr<PreparedData> Take();

 private:
  ArtifactCache& cache_;
  std::atomic<bool> given_up_{false};
  absl::StatusOr<PreparedData> result_ = PreparedData();
  std::thread thread_;
};

}  // namespace baton::worker
