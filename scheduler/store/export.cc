#include "scheduler/store/export.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "common/status.h"
#include "scheduler/store/codec_records.h"
#include "scheduler/store/frame.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/log_record.pb.h"

namespace baton::store {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

// Frames into pieces for the sink.
class PieceWriter {
 public:
  explicit PieceWriter(const Sink& sink) : sink_(sink), piece_(StreamHead()) {}

  absl::Status Write(FrameKind kind, absl::string_view payload) {
    const std::string frame = EncodeFrame(kind, payload);
    if (!piece_.empty() && piece_.size() + frame.size() > kPieceBytes) {
      BATON_RETURN_IF_ERROR(Flush());
    }
    piece_ += frame;
    return absl::OkStatus();
  }
  absl::Status Flush() {
    const absl::Status status = sink_(piece_);
    piece_.clear();
    return status;
  }

 private:
  const Sink& sink_;
  std::string piece_;
};

template <typename Message>
absl::StatusOr<Message> Read(const Reader& view, Table table, absl::string_view key) {
  BATON_ASSIGN_OR_RETURN(const std::string bytes, view.Get(table, key));
  Message message;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "record of the event log", &message));
  return message;
}

// The segments that can be exported, oldest first.
absl::StatusOr<std::set<uint64_t>> SegmentsOf(const Reader& view) {
  std::set<uint64_t> segments;
  const auto position = Read<v1::LogPosition>(view, Table::kMeta, kLogKey);
  if (absl::IsNotFound(position.status())) return segments;
  BATON_RETURN_IF_ERROR(position.status());
  segments.insert(position->segment());
  const auto closed = Read<v1::Segments>(view, Table::kMeta, kSegmentsKey);
  if (absl::IsNotFound(closed.status())) return segments;
  BATON_RETURN_IF_ERROR(closed.status());
  for (const auto& one : closed->closed()) segments.insert(one.segment());
  return segments;
}

// Records that are no longer as they were when a segment began; nullopt: there was none.
using Former = std::map<std::pair<Table, std::string>, std::optional<std::string>>;

absl::Status TakeImages(absl::string_view value, Former& former) {
  v1::UndoImages images;
  BATON_RETURN_IF_ERROR(ParseRecord(value, "list of undo images", &images));
  for (auto& image : *images.mutable_images()) {
    auto& slot = former[{static_cast<Table>(image.table()), image.key()}];
    slot.reset();
    if (!image.absent()) slot = std::move(*image.mutable_value());
  }
  return absl::OkStatus();
}

// From the newest segment down to `segment`: an older image lies nearer to its begin.
absl::StatusOr<Former> FormerRecords(const Reader& view, const std::set<uint64_t>& segments,
                                     uint64_t segment) {
  Former former;
  for (auto it = segments.rbegin(); it != segments.rend() && *it >= segment; ++it) {
    BATON_RETURN_IF_ERROR(view.Scan(Table::kUndo, NumberKey(*it),
                                    [&former](absl::string_view, absl::string_view value) {
                                      return TakeImages(value, former);
                                    }));
  }
  return former;
}

class SnapshotWriter {
 public:
  SnapshotWriter(const Former& former, PieceWriter& out) : former_(former), out_(out) {}

  // Today's records of the table, overlaid with what they were.
  absl::Status WriteTable(const Reader& view, Table table) {
    next_ = former_.lower_bound({table, ""});
    BATON_RETURN_IF_ERROR(view.Scan(table, "", [&](absl::string_view key, absl::string_view value) {
      if (table == Table::kMeta && !IsState(key)) return absl::OkStatus();
      return WriteAsItWas(table, key, value);
    }));
    return WriteGone(table, nullptr);
  }

  uint64_t records() const { return records_; }

 private:
  absl::Status WriteAsItWas(Table table, absl::string_view key, absl::string_view value) {
    BATON_RETURN_IF_ERROR(WriteGone(table, &key));
    if (next_ == former_.end() || next_->first.first != table || next_->first.second != key) {
      return Write(table, key, value);
    }
    const std::optional<std::string>& before = (next_++)->second;
    return before.has_value() ? Write(table, key, *before) : absl::OkStatus();
  }

  // Records that there were and are no more, up to a key; null: all.
  absl::Status WriteGone(Table table, const absl::string_view* below) {
    for (; next_ != former_.end() && next_->first.first == table &&
           (below == nullptr || next_->first.second < *below);
         ++next_) {
      if (!next_->second.has_value()) continue;
      BATON_RETURN_IF_ERROR(Write(table, next_->first.second, *next_->second));
    }
    return absl::OkStatus();
  }

  absl::Status Write(Table table, absl::string_view key, absl::string_view value) {
    v1::SnapshotRecord record;
    record.set_table(EnumNumber(table));
    record.set_key(std::string(key));
    record.set_value(std::string(value));
    ++records_;
    return out_.Write(FrameKind::kRecord, record.SerializeAsString());
  }

  const Former& former_;
  Former::const_iterator next_;
  PieceWriter& out_;
  uint64_t records_ = 0;
};

}  // namespace

absl::Status ExportSegment(const Store& store, uint64_t segment, const Sink& sink) {
  const std::unique_ptr<Reader> view = store.OpenView();
  BATON_ASSIGN_OR_RETURN(const std::set<uint64_t> segments, SegmentsOf(*view));
  if (segment == 0 && !segments.empty()) segment = *segments.rbegin();
  if (segments.count(segment) == 0) {
    return absl::NotFoundError(absl::StrCat("the event log has no segment ", segment, "; it has ",
                                            absl::StrJoin(segments, ", ")));
  }
  BATON_ASSIGN_OR_RETURN(const std::string header, view->Get(Table::kLog, LogKey(segment, 0)));
  BATON_ASSIGN_OR_RETURN(const Former former, FormerRecords(*view, segments, segment));

  PieceWriter out(sink);
  BATON_RETURN_IF_ERROR(out.Write(FrameKind::kHeader, header));
  SnapshotWriter snapshot(former, out);
  for (const Table table : {Table::kShared, Table::kMeta, Table::kNodes, Table::kJobs}) {
    BATON_RETURN_IF_ERROR(snapshot.WriteTable(*view, table));
  }
  uint64_t entries = 0;
  BATON_RETURN_IF_ERROR(view->Scan(Table::kLog, NumberKey(segment),
                                   [&](absl::string_view key, absl::string_view value) {
                                     if (key == LogKey(segment, 0)) return absl::OkStatus();
                                     ++entries;
                                     return out.Write(FrameKind::kEntry, value);
                                   }));
  v1::SegmentEnd end;
  end.set_records(snapshot.records());
  end.set_entries(entries);
  BATON_RETURN_IF_ERROR(out.Write(FrameKind::kEnd, end.SerializeAsString()));
  return out.Flush();
}

}  // namespace baton::store
