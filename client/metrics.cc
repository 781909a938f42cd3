#include "client/metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/metrics_line.h"

namespace baton::client {

using Json = nlohmann::ordered_json;

namespace {

// The line of an attempt that goes on from a checkpoint (trainer/metrics.h).
bool IsResume(const Json& line) {
  const auto event = line.find("event");
  return event != line.end() && *event == "resumed";
}

// Of such a line; 0: none.
int64_t FromStep(const Json& line) {
  const auto from = line.find("from_step");
  if (from == line.end() || !from->is_number()) return 0;
  return StepOfNumber(from->get<double>()).value_or(0);
}

// Apart from where and when.
bool HasNumber(const Json& row) {
  for (const auto& [name, value] : row.items()) {
    if (name == "step" || name == "time" || name == "attempt" || name == "rank") continue;
    if (value.is_number()) return true;
  }
  return false;
}

}  // namespace

void MetricLines::Add(int attempt, int rank, absl::string_view bytes) {
  std::string& rest = rests_[{attempt, rank}];
  rest.append(bytes.data(), bytes.size());
  size_t begin = 0;
  for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
    AddLine(attempt, rank, rest.substr(begin, end - begin));
  }
  rest.erase(0, begin);
  // A whole object may be the program's last word, without a newline.
  if (!rest.empty() && rest.back() == '}' && AddLine(attempt, rank, rest)) rest.clear();
}

bool MetricLines::AddLine(int attempt, int rank, const std::string& line) {
  Json json = Json::parse(PlainMetricsLine(line), nullptr, false);
  if (!json.is_object()) return false;
  int64_t& last = last_steps_[{attempt, rank}];
  bool counts = true;
  if (json.contains("step")) {
    const auto step =
        json["step"].is_number() ? StepOfNumber(json["step"].get<double>()) : std::nullopt;
    if (!step.has_value()) return false;
    last = *step;
  } else if (json.contains("gpu") || IsResume(json)) {
    // What a card does is of the step before, and a resume of the one that it begins with: neither
    // does a step again.
    json["step"] = last = std::max(last, FromStep(json));
    counts = false;
  } else {
    json["step"] = ++last;  // counted, where the program says nothing of steps
  }
  if (counts) {
    auto [first, is_new] = first_steps_.try_emplace(attempt, last);
    first->second = std::min(first->second, last);
  }
  json["attempt"] = attempt;
  json["rank"] = rank;
  lines_.push_back(std::move(json));
  return true;
}

std::vector<Json> MetricLines::Rows() const {
  std::vector<Json> rows;
  for (const Json& line : lines_) {
    bool undone = false;
    for (auto it = first_steps_.upper_bound(line["attempt"].get<int>()); it != first_steps_.end();
         ++it) {
      undone |= line["step"].get<double>() >= static_cast<double>(it->second);
    }
    if (!undone) rows.push_back(line);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["step"].get<double>() < b["step"].get<double>();
  });
  return rows;
}

std::vector<std::string> MetricLines::Columns() const {
  std::vector<std::string> columns = {"step", "time"};
  for (const Json& line : lines_) {
    for (const auto& [name, value] : line.items()) {
      if (!value.is_number() || name == "attempt" || name == "rank") continue;
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  return columns;
}

std::string MetricLines::Csv() const {
  std::vector<std::string> columns = Columns();
  columns.insert(columns.end(), {"attempt", "rank"});
  std::string text = absl::StrJoin(columns, ",") + "\n";
  for (const Json& row : Rows()) {
    std::vector<std::string> cells;
    if (!HasNumber(row)) continue;
    for (const std::string& column : columns) {
      cells.push_back(row.contains(column) && !row[column].is_null() ? row[column].dump() : "");
    }
    absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
  }
  return text;
}

}  // namespace baton::client
