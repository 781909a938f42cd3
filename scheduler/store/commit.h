// What one applied event writes: the records it changed, its entry in the event log, its notes and
// the undo images by which a segment of the log begins with a snapshot (LOG.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "scheduler/state/event.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"
#include "scheduler/store/outcome.h"
#include "scheduler/store/shared_values.h"
#include "scheduler/store/store.h"

namespace baton::store {

struct CommitterOptions {
  std::string core_version;
  // A segment is closed when one of these is reached.
  int64_t segment_age_ms = 60 * 60 * 1000;
  uint64_t segment_bytes = 64 << 20;      // entries and undo images
  uint64_t segment_records = 256 * 1024;  // records touched: bounds the memory held for it
  // The oldest closed segments go when one of these is exceeded.
  int64_t log_age_ms = 7LL * 24 * 60 * 60 * 1000;
  uint64_t log_bytes = 1ULL << 30;
};

// The newest event in the store's log; 0: none.
absl::StatusOr<uint64_t> StoredSequence(const Reader& reader);

// Belongs to the thread that applies events; not thread-safe. Begins a segment of its own at the
// first event, which is SchedulerStarted.
class Committer {
 public:
  // `store` is read for the former bytes of records, `shared` is recovery's: both outlive this.
  static absl::StatusOr<Committer> Open(const Store& store, SharedValues& shared,
                                        CommitterOptions options);

  // The batch of an event that the core has just applied at `now_ms`: `state` is the state after
  // it, `outputs` what Step returned. Batches must be committed in the order in which they were
  // made. A refused event that changed nothing has an empty batch. An error comes from reading the
  // store: it ends the process like a failed commit.
  absl::StatusOr<Batch> Make(const state::State& state, const state::Event& event,
                             const state::Outputs& outputs, int64_t now_ms);

  // The sequence number of the newest batch made; 0: none yet.
  uint64_t last_sequence() const { return next_sequence_ - 1; }

  // All batches up to this sequence number are stored: their records can be read back.
  void Committed(uint64_t sequence);

 private:
  using RecordKey = std::pair<Table, std::string>;
  struct Pending {
    uint64_t sequence = 0;
    std::optional<std::string> value;  // nullopt: it is removed
  };
  struct Undo {
    RecordKey key;
    std::optional<std::string> former;
  };
  // The records that the event at hand changes.
  struct Change {
    Batch batch;
    std::vector<Undo> undo;
  };
  struct ClosedSegment {
    uint64_t segment = 0;
    int64_t end_ms = 0;
    uint64_t bytes = 0;
  };
  Committer(const Store& store, SharedValues& shared, CommitterOptions options)
      : store_(&store), shared_(&shared), options_(std::move(options)) {}

  bool SegmentIsFull(int64_t now_ms) const;
  void BeginSegment(const state::State& state, int64_t now_ms, Batch& batch);
  void DropOldSegments(int64_t now_ms, Batch& batch);
  // Nullopt: there was no such record.
  absl::StatusOr<std::optional<std::string>> FormerValue(const RecordKey& key) const;
  absl::Status SaveFormer(const RecordKey& record, Change& change);
  void WriteLog(const std::string& event, const Outcome& outcome, int64_t now_ms, Change& change);

  const Store* store_;
  SharedValues* shared_;
  CommitterOptions options_;
  uint64_t segment_ = 0;  // the open one; of the former run until the first event
  bool segment_open_ = false;
  int64_t segment_start_ms_ = 0;
  uint64_t segment_bytes_ = 0;
  int64_t newest_now_ms_ = 0;  // of all events, refused ones too, as the core counts it
  uint64_t next_sequence_ = 1;
  std::vector<ClosedSegment> closed_;  // oldest first
  // Records whose state at the segment's begin is saved.
  absl::flat_hash_set<RecordKey> touched_;
  // Records of batches that may not be readable yet.
  std::map<RecordKey, Pending> pending_;
  std::map<uint64_t, std::vector<RecordKey>> pending_keys_;  // by sequence
};

}  // namespace baton::store
