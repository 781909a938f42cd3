#include "scheduler/edge/trial_reader.h"

#include <bit>
#include <map>

#include "absl/strings/str_cat.h"
#include "scheduler/edge/sweep_wire.h"

namespace baton::edge {

bool TrialReader::IsWhole(const Sources& from, int64_t monotonic_ms) {
  const auto streams = from.journal.Streams(trial_.job);
  if (!streams.ok()) return true;      // nothing of it can be read, nor later
  std::map<int32_t, int64_t> arrived;  // by rank
  int64_t bytes = 0;
  for (const store::Journal::StreamEnd& stream : *streams) {
    if (!stream.stream.metrics) continue;
    bytes += stream.end;
    if (stream.stream.attempt == trial_.attempt) arrived[stream.stream.rank] = stream.end;
  }
  if (bytes != bytes_) quiet_ms_ = monotonic_ms;
  bytes_ = bytes;
  const int64_t quiet_ms = monotonic_ms - quiet_ms_;
  const bool settled = monotonic_ms - from.started_ms > from.lease_ms;
  for (const int32_t rank : trial_.ranks) {
    const auto end = from.ends.Get(
        {.job = trial_.job, .attempt = trial_.attempt, .rank = rank, .metrics = true});
    const bool whole = end.has_value() ? arrived[rank] >= *end || quiet_ms >= kMissingMs
                                       : settled && quiet_ms >= kQuietMs;
    if (!whole) return false;
  }
  return true;
}

state::TrialReported TrialReader::Report(const Sources& from) const {
  state::TrialReported report;
  report.sweep = trial_.sweep;
  report.index = trial_.index;
  const MetricsNow now = from.metrics.Newest(trial_.job);
  report.step = now.step;
  if (!trial_.succeeded) report.detail = trial_.reason;
  const std::optional<double> value = MetricIn(now.json, trial_.metric);
  if (value.has_value()) {
    report.has_metric = true;
    report.metric_bits = std::bit_cast<uint64_t>(*value);
    return report;
  }
  if (!trial_.succeeded) return report;
  const std::string others = MetricNames(now.json);
  report.detail = absl::StrCat(
      "it told no number ", trial_.metric,
      others.empty() ? "; it told no metrics at all" : absl::StrCat("; it told ", others));
  return report;
}

std::optional<state::TrialReported> TrialReader::Read(const Sources& from, int64_t monotonic_ms) {
  if (trial_.succeeded && !IsWhole(from, monotonic_ms)) return std::nullopt;
  return Report(from);
}

}  // namespace baton::edge
