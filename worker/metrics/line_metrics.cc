#include "worker/metrics/line_metrics.h"

#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/metrics_line.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr size_t kLineBytesMax = 16 << 10;
constexpr char kStep[] = "step";
constexpr char kEpoch[] = "epoch";

// Without what only a terminal understands: "\x1b[32m0.9\x1b[0m" is "0.9".
void LeaveOutColours(std::string* line) {
  static const RE2* const kEscape = new RE2("\x1b\\[[0-9;?]*[ -/]*[@-~]");
  if (line->find('\x1b') != std::string::npos) RE2::GlobalReplace(line, *kEscape, "");
}

// "0.93," and "(0.93)" are how people print a number.
std::optional<double> NumberIn(absl::string_view text) {
  while (!text.empty() && absl::StrContains("([{=:", text.substr(0, 1))) text.remove_prefix(1);
  while (!text.empty() && absl::StrContains(",;:)]}%.", text.substr(text.size() - 1))) {
    text.remove_suffix(1);
  }
  double number = 0;
  if (!absl::SimpleAtod(text, &number)) return std::nullopt;
  return number;
}

}  // namespace

LineMetrics::LineMetrics(const std::vector<MetricPattern>& patterns) {
  RE2::Options options;
  options.set_log_errors(false);
  for (const MetricPattern& metric : patterns) {
    auto pattern = std::make_unique<RE2>(metric.pattern, options);
    if (pattern->ok() && pattern->NumberOfCapturingGroups() > 0) {
      patterns_.push_back({metric.name, std::move(pattern)});
    }
  }
  const auto is_step = [](const Compiled& metric) { return metric.name == kStep; };
  has_step_ = std::any_of(patterns_.begin(), patterns_.end(), is_step);
}

LineMetrics::~LineMetrics() = default;

std::string LineMetrics::Line(std::string line, int64_t now_ms) {
  LeaveOutColours(&line);
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const Compiled& metric : patterns_) {
    std::string text;
    if (!RE2::PartialMatch(line, *metric.pattern, &text)) continue;
    const std::optional<double> number = NumberIn(text);
    const auto step =
        metric.name == kStep && number.has_value() ? StepOfNumber(*number) : std::nullopt;
    if (step.has_value()) {
      step_ = step;
    } else if (number.has_value() && metric.name != kStep) {
      values[metric.name] = *number;
      const auto epoch = StepOfNumber(*number);
      if (!has_step_ && metric.name == kEpoch && epoch.has_value()) step_ = epoch;
    } else if (!std::exchange(has_told_, true)) {
      problem_ = absl::StrCat("metrics.", metric.name, ": '", Printable(text, 80), "' is no ",
                              metric.name == kStep ? "whole number from 0 on" : "number",
                              "; such lines are passed over. Printed was: ", Printable(line, 120));
    }
  }
  if (values.empty()) return "";
  nlohmann::ordered_json object;
  if (step_.has_value()) object[kStep] = *step_;
  object["time"] = static_cast<double>(now_ms) / 1000;
  object.update(values);
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string LineMetrics::Take(absl::string_view bytes, int64_t now_ms) {
  std::string lines;
  while (!bytes.empty()) {
    const size_t end = bytes.find_first_of("\r\n");
    const absl::string_view piece = bytes.substr(0, end);
    rest_.append(piece.data(), std::min(piece.size(), kLineBytesMax - rest_.size()));
    if (end == absl::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (!rest_.empty()) absl::StrAppend(&lines, Line(std::exchange(rest_, ""), now_ms));
  }
  return lines;
}

std::string LineMetrics::End(int64_t now_ms) {
  return rest_.empty() ? "" : Line(std::exchange(rest_, ""), now_ms);
}

}  // namespace baton::worker
