#include "scheduler/edge/stream_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::edge {
namespace {

constexpr int64_t kPieceBytes = 64 << 10;

}  // namespace

JobStreams JobStreamsOf(const state::Job& job) {
  JobStreams streams{.ended = state::IsEnded(job.state), .tasks = {}};
  if (job.history == nullptr) return streams;
  for (const state::Attempt& attempt : job.history->attempts) {
    for (const state::Task& task : attempt.tasks) {
      streams.tasks.emplace_back(attempt.number, task.rank);
    }
  }
  return streams;
}

StreamReader::StreamReader(const store::Journal& journal, const StreamEnds& ends, state::JobId job,
                           const v1::ReadStreamsRequest& request)
    : journal_(journal),
      ends_(ends),
      job_(std::move(job)),
      metrics_(request.kind() == v1::METRICS) {
  for (const v1::StreamPosition& from : request.from()) {
    positions_[{from.attempt(), from.rank()}] = std::max<int64_t>(0, from.offset());
  }
}

absl::StatusOr<std::optional<v1::ReadStreamsResponse>> StreamReader::Next() {
  BATON_ASSIGN_OR_RETURN(const auto streams, journal_.Streams(job_));
  for (const store::Journal::StreamEnd& stream : streams) {
    if (stream.stream.metrics != metrics_) continue;
    int64_t& position = positions_[{stream.stream.attempt, stream.stream.rank}];
    if (position > stream.end) {
      return absl::OutOfRangeError(absl::StrCat("from: attempt ", stream.stream.attempt, " rank ",
                                                stream.stream.rank, " has ", stream.end,
                                                " bytes, there is nothing at offset ", position));
    }
    if (position == stream.end) continue;
    v1::ReadStreamsResponse piece;
    piece.set_attempt(stream.stream.attempt);
    piece.set_rank(stream.stream.rank);
    piece.set_offset(position);
    BATON_ASSIGN_OR_RETURN(
        std::string data,
        journal_.Read(stream.stream, position, std::min(kPieceBytes, stream.end - position)));
    if (data.empty()) continue;
    position += static_cast<int64_t>(data.size());
    piece.set_data(std::move(data));
    quiet_since_ms_ = -1;
    return piece;
  }
  return std::nullopt;
}

bool StreamReader::Complete(const JobStreams& job, int64_t monotonic_ms) {
  if (!job.ended) {
    quiet_since_ms_ = -1;
    return false;
  }
  if (quiet_since_ms_ < 0) quiet_since_ms_ = monotonic_ms;
  const int64_t quiet_ms = monotonic_ms - quiet_since_ms_;
  for (const auto& [attempt, rank] : job.tasks) {
    const auto end =
        ends_.Get({.job = job_, .attempt = attempt, .rank = rank, .metrics = metrics_});
    const auto read = positions_.find({attempt, rank});
    const int64_t position = read == positions_.end() ? 0 : read->second;
    if (!end.has_value() ? quiet_ms < kQuietMs : position < *end && quiet_ms < kMissingMs) {
      return false;
    }
  }
  return true;
}

}  // namespace baton::edge
