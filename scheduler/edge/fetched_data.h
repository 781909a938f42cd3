// What the tasks of jobs have fetched by a URI: the first task's bytes are the job's, and a task
// that got others is refused. What is answered is on disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/state/job.h"
#include "scheduler/store/store.h"

namespace baton::edge {

struct FetchedItem {
  std::string name;  // of the job's data set
  std::string sha256;
  int64_t bytes = 0;
  bool operator==(const FetchedItem&) const = default;
};

// Thread-safe.
class FetchedData {
 public:
  // Reads what is stored; `store` outlives this. DataLoss names the damaged record.
  static absl::StatusOr<std::unique_ptr<FetchedData>> Open(store::Store& store, uint64_t term);

  // FailedPrecondition, for a person, when the job has other bytes under one of the names.
  absl::Status Record(const state::JobId& job, const std::vector<FetchedItem>& items);
  std::vector<FetchedItem> Of(const state::JobId& job) const;  // by name

  void Forget(const state::JobId& job);
  std::vector<state::JobId> Jobs() const;

 private:
  using Items = std::map<std::string, FetchedItem>;
  FetchedData(store::Store& store, uint64_t term) : store_(store), term_(term) {}

  store::Store& store_;
  const uint64_t term_;
  mutable std::mutex mutex_;
  std::map<state::JobId, Items> jobs_;  // guarded by mutex_
};

}  // namespace baton::edge
