#include "scheduler/store/segment_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/codec_reach.h"
#include "scheduler/store/codec_records.h"
#include "scheduler/store/log_record.pb.h"

namespace baton::store {
namespace {

absl::Status At(const absl::Status& status, const Frame& frame) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("the log is damaged at byte ", frame.offset, ": ",
                                                  status.message()));
}

absl::Status Load(const Frame& frame, Recovered& begin) {
  v1::SnapshotRecord record;
  BATON_RETURN_IF_ERROR(ParseRecord(frame.payload, "snapshot record", &record));
  return LoadRecord(static_cast<Table>(record.table()), record.key(), record.value(), begin);
}

absl::StatusOr<SegmentEntry> ParseEntry(const Frame& frame, const SharedValues& shared) {
  v1::LogEntry record;
  BATON_RETURN_IF_ERROR(ParseRecord(frame.payload, "log entry", &record));
  SegmentEntry entry;
  entry.sequence = record.sequence();
  entry.now_ms = record.now_ms();
  BATON_ASSIGN_OR_RETURN(entry.event, DecodeEvent(record.event(), shared));
  entry.outcome.decisions_digest = record.decisions_digest();
  entry.outcome.records_digest = record.records_digest();
  BATON_ASSIGN_OR_RETURN(entry.outcome.notes, DecodeNotes(record.notes()));
  return entry;
}

}  // namespace

absl::StatusOr<SegmentReader> SegmentReader::Open(absl::string_view bytes) {
  BATON_ASSIGN_OR_RETURN(FrameReader frames, FrameReader::Open(bytes));
  SegmentReader reader(frames);
  BATON_RETURN_IF_ERROR(reader.ReadHead());
  return reader;
}

absl::Status SegmentReader::ReadHead() {
  BATON_RETURN_IF_ERROR(Advance());
  if (frame_.kind != FrameKind::kHeader) {
    return At(absl::DataLossError("it does not begin with a header"), frame_);
  }
  v1::SegmentHeader header;
  BATON_RETURN_IF_ERROR(At(ParseRecord(frame_.payload, "segment header", &header), frame_));
  head_.segment = header.segment();
  head_.first_sequence = header.first_sequence();
  head_.start_ms = header.start_ms();
  head_.core_version = header.core_version();
  auto config = DecodeConfig(header.config());
  BATON_RETURN_IF_ERROR(At(config.status(), frame_));
  head_.begin.state.config = *config;
  v1::Reach reach;
  BATON_RETURN_IF_ERROR(
      At(ParseRecord(header.reach(), "table of who reaches whom", &reach), frame_));
  BATON_RETURN_IF_ERROR(At(FromRecord(reach, &head_.begin.state.reach), frame_));
  while (true) {
    BATON_RETURN_IF_ERROR(Advance());
    if (frame_.kind != FrameKind::kRecord) return absl::OkStatus();
    BATON_RETURN_IF_ERROR(At(Load(frame_, head_.begin), frame_));
    ++records_;
  }
}

absl::Status SegmentReader::Advance() {
  auto next = frames_.Next();
  if (absl::IsOutOfRange(next.status())) {
    return absl::DataLossError("the log was cut off: its end is missing; export it again");
  }
  BATON_RETURN_IF_ERROR(next.status());
  frame_ = *next;
  return absl::OkStatus();
}

absl::StatusOr<SegmentEntry> SegmentReader::Next(const SharedValues& shared) {
  if (frame_.kind == FrameKind::kEntry) {
    auto entry = ParseEntry(frame_, shared);
    BATON_RETURN_IF_ERROR(At(entry.status(), frame_));
    ++entries_;
    BATON_RETURN_IF_ERROR(Advance());
    return entry;
  }
  v1::SegmentEnd end;
  if (frame_.kind != FrameKind::kEnd) {
    return At(absl::DataLossError("a frame out of place"), frame_);
  }
  BATON_RETURN_IF_ERROR(At(ParseRecord(frame_.payload, "end of a segment", &end), frame_));
  if (end.records() != records_ || end.entries() != entries_) {
    return At(absl::DataLossError("some records are missing"), frame_);
  }
  return absl::OutOfRangeError("the end of the log");
}

}  // namespace baton::store
