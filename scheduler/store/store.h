// The port for small records. A commit is all or nothing and on disk when it returns, and it is
// refused when another scheduler has taken over (a higher term). Small enough for etcd: the caller
// keeps one Commit of a single event at 100 puts and 1 MiB; an implementation may join several.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::store {

// Column of a record; the numbers are stored.
enum class Table : uint8_t {
  kMeta = 1,   // schema version, term, counters
  kJobs = 2,   // by job id
  kNodes = 3,  // by node id
  kLog = 4,    // event log: by segment and sequence
  kUndo = 5,   // records as they were when a segment began: by segment, table, key
  kNotes = 6,  // by job id and sequence
};

struct Put {
  Table table = Table::kMeta;
  std::string key;
  std::string value;
};

struct Delete {
  Table table = Table::kMeta;
  std::string key;
};

struct Batch {
  std::vector<Put> puts;
  std::vector<Delete> deletes;
};

class Store {
 public:
  virtual ~Store() = default;

  // Durable on OK. FailedPrecondition: `term` is not the stored one. ResourceExhausted: disk full.
  // After any error no further commit is accepted (the disk's state is unknown).
  virtual absl::Status Commit(uint64_t term, const std::vector<Batch>& batches) = 0;

  // NotFound when there is none.
  virtual absl::StatusOr<std::string> Get(Table table, absl::string_view key) const = 0;

  // Calls `visit` for each record whose key has the prefix, in key order, from one consistent
  // view; stops early when it returns an error and returns that error.
  using Visitor = std::function<absl::Status(absl::string_view key, absl::string_view value)>;
  virtual absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const = 0;

  // Stores a term one higher than the stored one and returns it: the caller is now the scheduler.
  virtual absl::StatusOr<uint64_t> TakeTerm() = 0;
};

}  // namespace baton::store
