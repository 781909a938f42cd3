#include "scheduler/edge/metrics_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/metrics_line.h"

namespace baton::edge {
namespace {

using nlohmann::json;

constexpr int64_t kTailBytes = 128 << 10;
constexpr size_t kLineBytesMax = 16 << 10;
constexpr size_t kMetricsMax = 256;
constexpr size_t kTextBytesMax = 1'024;
constexpr size_t kAttemptsRead = 4;

// A head of the hash chain means nothing without its step, and other lines have later ones. The
// line of an event repeats the head that there was before it.
void TakeChainStep(const json& line, json& newest) {
  if (!line.contains("chain") || !line.contains("step") || line.contains("event")) return;
  if (!line["step"].is_number()) return;
  newest["chain_step"] = line["step"];
}

void TakeLine(absl::string_view line, json& newest) {
  if (line.empty() || line.size() > kLineBytesMax) return;
  const json object = json::parse(PlainMetricsLine(line), nullptr, false);
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_primitive() || name.size() > kTextBytesMax) continue;
    if (value.is_string() && value.get_ref<const std::string&>().size() > kTextBytesMax) continue;
    if (newest.size() >= kMetricsMax && !newest.contains(name)) continue;
    newest[name] = value;
  }
  TakeChainStep(object, newest);
}

// A stream's last lines; the first of them may be cut and is then passed over.
void TakeTail(const store::Journal& journal, const store::Journal::StreamEnd& stream,
              json& newest) {
  const int64_t from = std::max<int64_t>(0, stream.end - kTailBytes);
  const auto bytes = journal.Read(stream.stream, from, stream.end - from);
  if (!bytes.ok()) return;
  absl::string_view rest = *bytes;
  if (from > 0) rest.remove_prefix(std::min(rest.size(), rest.find('\n')));
  while (true) {
    const size_t end = rest.find('\n');
    // The last line may still be being written: then it is no whole object yet.
    if (end == absl::string_view::npos) return TakeLine(rest, newest);
    TakeLine(rest.substr(0, end), newest);
    rest.remove_prefix(end + 1);
  }
}

double NumberOf(const json& newest, const char* name) {
  const auto it = newest.find(name);
  return it != newest.end() && it->is_number() ? it->get<double>() : 0;
}

// A program may write any number; what does not fit an integer is no count of steps.
int64_t CountOf(const json& newest, const char* name) {
  return StepOfNumber(NumberOf(newest, name)).value_or(0);
}

}  // namespace

int64_t MetricsView::StepsTotal(const std::string& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = kept_.find(job);
    if (it != kept_.end() && it->second.metrics.steps_total > 0) {
      return it->second.metrics.steps_total;
    }
  }
  return Newest(job).steps_total;
}

MetricsNow MetricsView::Newest(const std::string& job) {
  const auto streams = journal_.Streams(job);
  if (!streams.ok()) {
    return {.json = "{}", .attempt = 0, .step = 0, .steps_total = 0, .epoch = 0};
  }
  std::vector<store::Journal::StreamEnd> chosen;  // one of each attempt, oldest first
  for (const store::Journal::StreamEnd& stream : *streams) {
    if (!stream.stream.metrics || stream.end == 0) continue;
    if (chosen.empty() || chosen.back().stream.attempt != stream.stream.attempt) {
      chosen.push_back(stream);
    }
  }
  if (chosen.size() > kAttemptsRead) chosen.erase(chosen.begin(), chosen.end() - kAttemptsRead);
  std::vector<int64_t> ends;
  for (const auto& stream : chosen) ends.push_back(stream.end);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = kept_.find(job);
    if (it != kept_.end() && it->second.ends == ends) return it->second.metrics;
  }
  json newest = json::object();
  for (const auto& stream : chosen) {
    newest.erase("step");  // an earlier attempt's may be ahead of what this one resumed from
    TakeTail(journal_, stream, newest);
  }
  MetricsNow metrics{// Bytes that are no UTF-8 come from the program and must not end the server.
                     .json = newest.dump(-1, ' ', false, json::error_handler_t::replace),
                     .attempt = chosen.empty() ? 0 : chosen.back().stream.attempt,
                     .step = CountOf(newest, "step"),
                     .steps_total = CountOf(newest, "steps_total"),
                     .epoch = NumberOf(newest, "epoch")};
  std::lock_guard<std::mutex> lock(mutex_);
  if (kept_.size() >= kJobsKept) kept_.clear();
  kept_[job] = {.ends = std::move(ends), .metrics = metrics};
  return metrics;
}

}  // namespace baton::edge
