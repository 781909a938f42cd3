#include "scheduler/store/commit.h"

#include <algorithm>

#include "common/status.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/codec_reach.h"
#include "scheduler/store/codec_records.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/log_record.pb.h"

namespace baton::store {
namespace {

// A refused event that left no trace need not be told again by a replay.
bool ChangedNothing(const state::Outputs& outputs) {
  return !outputs.reply.ok() && outputs.effects.empty() && outputs.notes.empty() &&
         outputs.dirty_jobs.empty() && outputs.dirty_nodes.empty() &&
         outputs.deleted_jobs.empty() && outputs.deleted_sweeps.empty() &&
         outputs.dirty_sweeps.empty() && !outputs.counters_dirty && !outputs.reach_changed;
}

absl::Status NameRecord(const absl::Status& status, absl::string_view key) {
  return absl::Status(status.code(), absl::StrCat("table meta, key ", key, ": ", status.message()));
}

// Leaves the message as it is when the record does not exist.
template <typename Message>
absl::Status ReadMeta(const Reader& store, absl::string_view key, Message* message) {
  const absl::StatusOr<std::string> bytes = store.Get(Table::kMeta, key);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  BATON_RETURN_IF_ERROR(bytes.status());
  const absl::Status parsed = ParseRecord(*bytes, "record of the event log", message);
  return parsed.ok() ? parsed : NameRecord(parsed, key);
}

// Notes of one event by job, each job's in their order.
std::map<state::JobId, std::vector<state::Note>> ByJob(const std::vector<state::Note>& notes) {
  std::map<state::JobId, std::vector<state::Note>> by_job;
  for (const state::Note& note : notes) by_job[note.job].push_back(note);
  return by_job;
}

}  // namespace

absl::StatusOr<uint64_t> StoredSequence(const Reader& reader) {
  v1::LogPosition position;
  BATON_RETURN_IF_ERROR(ReadMeta(reader, kLogKey, &position));
  return position.next_sequence() > 0 ? position.next_sequence() - 1 : 0;
}

absl::StatusOr<Committer> Committer::Open(const Store& store, SharedValues& shared,
                                          CommitterOptions options) {
  Committer committer(store, shared, std::move(options));
  v1::LogPosition position;
  BATON_RETURN_IF_ERROR(ReadMeta(store, kLogKey, &position));
  committer.segment_ = position.segment();
  committer.segment_bytes_ = position.segment_bytes();
  if (position.next_sequence() > 0) committer.next_sequence_ = position.next_sequence();
  v1::Segments segments;
  BATON_RETURN_IF_ERROR(ReadMeta(store, kSegmentsKey, &segments));
  for (const auto& closed : segments.closed()) {
    committer.closed_.push_back({closed.segment(), closed.end_ms(), closed.bytes()});
  }
  return committer;
}

absl::StatusOr<Batch> Committer::Make(const state::State& state, const state::Event& event,
                                      const state::Outputs& outputs, int64_t now_ms) {
  newest_now_ms_ = std::max(newest_now_ms_, now_ms);
  now_ms = newest_now_ms_;
  if (ChangedNothing(outputs)) return Batch();
  Change change;
  // A segment's head has who reaches whom as the event before has left it: so none begins with an
  // event that changes it, but the first of a process, which begins with nothing shown.
  if (!segment_open_ || (SegmentIsFull(now_ms) && !outputs.reach_changed)) {
    BeginSegment(state, now_ms, change.batch);
  }
  const Changes changed = ChangedRecords(state, outputs, *shared_);
  for (const Put& put : changed.puts) {
    BATON_RETURN_IF_ERROR(SaveFormer({put.table, put.key}, change));
    pending_[{put.table, put.key}] = {next_sequence_, put.value};
    change.batch.puts.push_back(put);
  }
  for (const Delete& gone : changed.removed) {
    BATON_RETURN_IF_ERROR(SaveFormer({gone.table, gone.key}, change));
    pending_[{gone.table, gone.key}] = {next_sequence_, std::nullopt};
    change.batch.removed.push_back(gone);
  }
  for (const auto& job : outputs.deleted_jobs) {
    change.batch.deletes.push_back({Table::kNotes, NotesPrefix(job->id)});
  }
  for (const auto& sweep : outputs.deleted_sweeps) {
    change.batch.deletes.push_back({Table::kNotes, NotesPrefix(sweep->id)});
  }
  WriteLog(EncodeEvent(event, *shared_), OutcomeOf(outputs, changed, *shared_), now_ms, change);
  for (Put& put : shared_->TakeFresh()) change.batch.puts.push_back(std::move(put));
  ++next_sequence_;
  return std::move(change.batch);
}

void Committer::Committed(uint64_t sequence) {
  const auto end = pending_keys_.upper_bound(sequence);
  for (auto it = pending_keys_.begin(); it != end; ++it) {
    for (const RecordKey& key : it->second) {
      const auto found = pending_.find(key);
      if (found != pending_.end() && found->second.sequence <= sequence) pending_.erase(found);
    }
  }
  pending_keys_.erase(pending_keys_.begin(), end);
}

bool Committer::SegmentIsFull(int64_t now_ms) const {
  return segment_bytes_ >= options_.segment_bytes || touched_.size() >= options_.segment_records ||
         now_ms - segment_start_ms_ >= options_.segment_age_ms;
}

void Committer::BeginSegment(const state::State& state, int64_t now_ms, Batch& batch) {
  if (segment_ > 0) {
    closed_.push_back({segment_, now_ms, segment_bytes_});
    DropOldSegments(now_ms, batch);
    v1::Segments segments;
    for (const ClosedSegment& closed : closed_) {
      auto* record = segments.add_closed();
      record->set_segment(closed.segment);
      record->set_end_ms(closed.end_ms);
      record->set_bytes(closed.bytes);
    }
    batch.puts.push_back({Table::kMeta, kSegmentsKey, segments.SerializeAsString()});
  }
  ++segment_;
  segment_open_ = true;
  segment_start_ms_ = now_ms;
  segment_bytes_ = 0;
  touched_.clear();
  v1::SegmentHeader header;
  header.set_segment(segment_);
  header.set_first_sequence(next_sequence_);
  header.set_start_ms(now_ms);
  header.set_core_version(options_.core_version);
  header.set_config(EncodeConfig(state.config));
  v1::Reach reach;
  ToRecord(state.reach, &reach);
  header.set_reach(reach.SerializeAsString());
  batch.puts.push_back({Table::kLog, LogKey(segment_, 0), header.SerializeAsString()});
}

void Committer::DropOldSegments(int64_t now_ms, Batch& batch) {
  uint64_t bytes = 0;
  for (const ClosedSegment& closed : closed_) bytes += closed.bytes;
  size_t dropped = 0;
  for (const ClosedSegment& oldest : closed_) {
    if (bytes <= options_.log_bytes && now_ms - oldest.end_ms <= options_.log_age_ms) break;
    bytes -= oldest.bytes;
    ++dropped;
    for (const Table table : {Table::kLog, Table::kUndo}) {
      batch.deletes.push_back({table, NumberKey(oldest.segment)});
    }
  }
  closed_.erase(closed_.begin(), closed_.begin() + static_cast<std::ptrdiff_t>(dropped));
}

absl::StatusOr<std::optional<std::string>> Committer::FormerValue(const RecordKey& key) const {
  // A batch on its way to the disk can't be read back yet.
  const auto pending = pending_.find(key);
  if (pending != pending_.end()) return pending->second.value;
  absl::StatusOr<std::string> stored = store_->Get(key.first, key.second);
  if (absl::IsNotFound(stored.status())) return std::optional<std::string>();
  BATON_RETURN_IF_ERROR(stored.status());
  return std::optional<std::string>(*std::move(stored));
}

// To be called before the record is changed.
absl::Status Committer::SaveFormer(const RecordKey& record, Change& change) {
  if (!touched_.contains(record)) {
    BATON_ASSIGN_OR_RETURN(auto former, FormerValue(record));
    change.undo.push_back({record, std::move(former)});
    touched_.insert(record);
  }
  pending_keys_[next_sequence_].push_back(record);
  return absl::OkStatus();
}

void Committer::WriteLog(const std::string& event, const Outcome& outcome, int64_t now_ms,
                         Change& change) {
  v1::LogEntry entry;
  entry.set_sequence(next_sequence_);
  entry.set_now_ms(now_ms);
  entry.set_event(event);
  entry.set_decisions_digest(outcome.decisions_digest);
  entry.set_records_digest(outcome.records_digest);
  entry.set_notes(EncodeNotes(outcome.notes));
  const std::string key = LogKey(segment_, next_sequence_);
  Batch& batch = change.batch;
  batch.puts.push_back({Table::kLog, key, entry.SerializeAsString()});
  segment_bytes_ += batch.puts.back().value.size();

  if (!change.undo.empty()) {
    v1::UndoImages images;
    for (Undo& undo : change.undo) {
      auto* image = images.add_images();
      image->set_table(EnumNumber(undo.key.first));
      image->set_key(std::move(undo.key.second));
      image->set_absent(!undo.former.has_value());
      if (undo.former.has_value()) image->set_value(*std::move(undo.former));
    }
    batch.puts.push_back({Table::kUndo, key, images.SerializeAsString()});
    segment_bytes_ += batch.puts.back().value.size();
  }
  for (const auto& [job, notes] : ByJob(outcome.notes)) {
    batch.puts.push_back({Table::kNotes, NotesKey(job, next_sequence_), EncodeNotes(notes)});
  }
  v1::LogPosition position;
  position.set_segment(segment_);
  position.set_next_sequence(next_sequence_ + 1);
  position.set_segment_bytes(segment_bytes_);
  batch.puts.push_back({Table::kMeta, kLogKey, position.SerializeAsString()});
}

}  // namespace baton::store
