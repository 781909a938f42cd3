// The store in memory, with faults on demand: for the simulator and for tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/store/store.h"

namespace baton::store {

// Survives the simulated scheduler that uses it. Thread-safe.
class MemoryStore : public Store {
 public:
  absl::Status Commit(uint64_t term, const std::vector<Batch>& batches) override;
  absl::StatusOr<std::string> Get(Table table, absl::string_view key) const override;
  absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const override;
  absl::StatusOr<uint64_t> TakeTerm() override;
  std::unique_ptr<Reader> OpenView() const override;
  absl::StatusOr<double> FreeFraction() const override;

  // What a failing commit has left behind: nobody can tell from its error.
  enum class Left { kNothing, kEverything };
  // The next commit fails with `error`, and so does every later one until Reopen.
  void FailNextCommit(absl::Status error, Left left);
  void SetFreeFraction(double fraction);

  // As if the process had ended and another had opened the folder: errors are forgotten, what was
  // committed is there.
  void Reopen();

 private:
  using Records = std::map<std::string, std::string, std::less<>>;
  void Apply(const Batch& batch);

  mutable std::mutex mutex_;
  std::map<Table, Records> tables_;
  absl::Status latched_;
  absl::Status planned_;
  Left planned_left_ = Left::kNothing;
  double free_fraction_ = 1.0;
};

}  // namespace baton::store
