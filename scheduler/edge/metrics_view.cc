#include "scheduler/edge/metrics_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
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
constexpr size_t kTasksRead = 16;  // of an attempt: the newest

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

// A stream's last lines; the first of them may be cut and is then left out.
std::string TailOf(const store::Journal& journal, const store::Journal::StreamEnd& stream) {
  const int64_t from = std::max<int64_t>(0, stream.end - kTailBytes);
  auto bytes = journal.Read(stream.stream, from, stream.end - from);
  if (!bytes.ok()) return "";
  if (from > 0) bytes->erase(0, bytes->find('\n'));
  return *std::move(bytes);
}

void TakeTail(absl::string_view rest, json& newest) {
  while (true) {
    const size_t end = rest.find('\n');
    // The last line may still be being written: then it is no whole object yet.
    if (end == absl::string_view::npos) return TakeLine(rest, newest);
    TakeLine(rest.substr(0, end), newest);
    rest.remove_prefix(end + 1);
  }
}

// The newest generation that the lines speak of; 0: of none.
int64_t GenerationIn(absl::string_view tail) {
  constexpr char kName[] = "\"generation\":";
  const size_t at = tail.rfind(kName);
  if (at == absl::string_view::npos) return 0;
  int64_t generation = 0;
  absl::string_view digits = tail.substr(at + sizeof(kName) - 1);
  return absl::SimpleAtoi(digits.substr(0, digits.find_first_not_of("0123456789")), &generation)
             ? generation
             : 0;
}

// Of one attempt's streams, by rank: the lowest rank's, and after it those of tasks that have come
// to be rank 0 of a later generation, the newest last.
std::vector<std::string> TailsInOrder(const store::Journal& journal,
                                      const std::vector<store::Journal::StreamEnd>& streams) {
  std::vector<std::string> tails = {TailOf(journal, streams.front())};
  std::multimap<int64_t, std::string> later;
  const size_t first = std::max<size_t>(1, streams.size() - std::min(streams.size(), kTasksRead));
  for (size_t i = first; i < streams.size(); ++i) {
    std::string tail = TailOf(journal, streams[i]);
    const int64_t generation = GenerationIn(tail);
    if (generation > GenerationIn(tails.front())) later.emplace(generation, std::move(tail));
  }
  for (auto& [generation, tail] : later) tails.push_back(std::move(tail));
  return tails;
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
  std::vector<std::vector<store::Journal::StreamEnd>> attempts;  // oldest first
  for (const store::Journal::StreamEnd& stream : *streams) {
    if (!stream.stream.metrics || stream.end == 0) continue;
    const bool same =
        !attempts.empty() && attempts.back().front().stream.attempt == stream.stream.attempt;
    if (!same) attempts.emplace_back();
    attempts.back().push_back(stream);
  }
  if (attempts.size() > kAttemptsRead) {
    attempts.erase(attempts.begin(), attempts.end() - kAttemptsRead);
  }
  std::vector<int64_t> ends;
  for (const auto& attempt : attempts) {
    for (const auto& stream : attempt) ends.push_back(stream.end);
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = kept_.find(job);
    if (it != kept_.end() && it->second.ends == ends) return it->second.metrics;
  }
  json newest = json::object();
  for (const auto& attempt : attempts) {
    newest.erase("step");  // an earlier attempt's may be ahead of what this one resumed from
    for (const std::string& tail : TailsInOrder(journal_, attempt)) TakeTail(tail, newest);
  }
  MetricsNow metrics{// Bytes that are no UTF-8 come from the program and must not end the server.
                     .json = newest.dump(-1, ' ', false, json::error_handler_t::replace),
                     .attempt = attempts.empty() ? 0 : attempts.back().front().stream.attempt,
                     .step = CountOf(newest, "step"),
                     .steps_total = CountOf(newest, "steps_total"),
                     .epoch = NumberOf(newest, "epoch")};
  std::lock_guard<std::mutex> lock(mutex_);
  if (kept_.size() >= kJobsKept) kept_.clear();
  kept_[job] = {.ends = std::move(ends), .metrics = metrics};
  return metrics;
}

}  // namespace baton::edge
