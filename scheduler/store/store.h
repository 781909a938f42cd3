// The port for small records. A commit is all or nothing and on disk when it returns, and it is
// refused when another scheduler has taken over (a higher term). The batch of one event stays small
// (at most two puts for each job, node, sweep or trial it touches, and six more), so that a
// networked store can hold the records too; an implementation may join several.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::store {

// Column of a record; the numbers are stored.
enum class Table : uint8_t {
  kMeta = 1,    // schema version, term, counters
  kJobs = 2,    // by job id
  kNodes = 3,   // by node id
  kLog = 4,     // event log: by segment and sequence
  kUndo = 5,    // records as they were when a segment began: by segment, table, key
  kNotes = 6,   // by job id and sequence
  kShared = 7,  // specs and submitters by digest: written once, never changed
};
inline constexpr Table kTables[] = {Table::kMeta, Table::kJobs,  Table::kNodes, Table::kLog,
                                    Table::kUndo, Table::kNotes, Table::kShared};

// "jobs", for messages and column families.
absl::string_view TableName(Table table);

struct Put {
  Table table = Table::kMeta;
  std::string key;
  std::string value;
};

struct Delete {
  Table table = Table::kMeta;
  std::string key;
};

// All records whose key has the prefix.
struct DeletePrefix {
  Table table = Table::kMeta;
  std::string prefix;
};

// Deletes are applied before puts.
struct Batch {
  std::vector<Put> puts;
  std::vector<DeletePrefix> deletes;
  std::vector<Delete> removed;
  bool IsEmpty() const { return puts.empty() && deletes.empty() && removed.empty(); }
};

class Reader {
 public:
  virtual ~Reader() = default;

  // NotFound when there is none; DataLoss: the record, or the file that holds it, is damaged.
  virtual absl::StatusOr<std::string> Get(Table table, absl::string_view key) const = 0;

  // Calls `visit` for each record whose key has the prefix, in key order, from one consistent
  // view; stops early when it returns an error and returns that error.
  using Visitor = std::function<absl::Status(absl::string_view key, absl::string_view value)>;
  virtual absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const = 0;
};

// Thread-safe. Batches whose order matters are of one thread.
class Store : public Reader {
 public:
  // Durable on OK. FailedPrecondition: `term` is not the stored one. ResourceExhausted: disk full.
  // After any error no further commit is accepted (the disk's state is unknown): the process says
  // why and ends.
  virtual absl::Status Commit(uint64_t term, const std::vector<Batch>& batches) = 0;

  // Stores a term one higher than the stored one and returns it: the caller is now the scheduler.
  virtual absl::StatusOr<uint64_t> TakeTerm() = 0;

  // All tables as they are now, whatever is committed later. Lives no longer than the store; hold
  // it for seconds, not hours (it keeps old records from being freed).
  virtual std::unique_ptr<Reader> OpenView() const = 0;

  // Free share of the disk that holds the store, 0 to 1. Below 0.05 the caller refuses submits.
  virtual absl::StatusOr<double> FreeFraction() const = 0;
};

}  // namespace baton::store
