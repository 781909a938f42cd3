#include "client/metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/metrics_line.h"

namespace baton::client {

using Json = nlohmann::ordered_json;

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
  if (json.contains("step")) {
    const auto step =
        json["step"].is_number() ? StepOfNumber(json["step"].get<double>()) : std::nullopt;
    if (!step.has_value()) return false;
    last = *step;
  } else {
    // Counted, where the program says nothing of steps; what a card does is of the step before.
    if (!json.contains("gpu")) ++last;
    json["step"] = last;
  }
  json["attempt"] = attempt;
  json["rank"] = rank;
  lines_.push_back(std::move(json));
  return true;
}

std::vector<Json> MetricLines::Rows() const {
  // The first step of each attempt: what earlier attempts say of it and later ones was undone.
  std::map<int, double> first_step;
  for (const Json& line : lines_) {
    const double step = line["step"].get<double>();
    auto [entry, is_new] = first_step.try_emplace(line["attempt"].get<int>(), step);
    if (!is_new) entry->second = std::min(entry->second, step);
  }
  std::vector<Json> rows;
  for (const Json& line : lines_) {
    bool undone = false;
    for (auto it = first_step.upper_bound(line["attempt"].get<int>()); it != first_step.end();
         ++it) {
      undone |= line["step"].get<double>() >= it->second;
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
    for (const std::string& column : columns) {
      cells.push_back(row.contains(column) && !row[column].is_null() ? row[column].dump() : "");
    }
    absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
  }
  return text;
}

}  // namespace baton::client
