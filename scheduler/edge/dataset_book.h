// What the names of pushed data stand for. No decision of the core reads it; what is answered is on
// disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/store/store.h"

namespace baton::edge {

struct DataSetEntry {
  std::string name;
  std::string digest;  // of its manifest
  int64_t bytes = 0;
  int64_t files = 0;
  int64_t pushed_ms = 0;
  std::string owner;
  bool operator==(const DataSetEntry&) const = default;
};

// Thread-safe.
class DataSetBook {
 public:
  // Reads what is stored; `store` outlives the book. DataLoss names the damaged record.
  static absl::StatusOr<std::unique_ptr<DataSetBook>> Open(store::Store& store, uint64_t term);

  // The name stands for this from now on. ResourceExhausted when there are too many names.
  absl::Status Put(const DataSetEntry& entry);
  // NotFound.
  absl::StatusOr<DataSetEntry> Find(const std::string& name) const;
  absl::Status Remove(const std::string& name);

  std::vector<DataSetEntry> List() const;      // by name
  std::vector<std::string> Manifests() const;  // that must not be collected

 private:
  DataSetBook(store::Store& store, uint64_t term) : store_(store), term_(term) {}

  store::Store& store_;
  const uint64_t term_;
  mutable std::mutex mutex_;
  std::map<std::string, DataSetEntry> entries_;  // guarded by mutex_
};

}  // namespace baton::edge
