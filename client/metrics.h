// A job's metric lines, whichever attempt and rank wrote them. Undone steps are dropped: what a
// later attempt says of a step wins. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace baton::client {

class MetricLines {
 public:
  // Bytes of one stream in their order; a line may come in pieces.
  void Add(int attempt, int rank, absl::string_view bytes);

  // JSON objects with "attempt" and "rank" added, by step. Lines without a step are counted on from
  // the one before, those with a step that is none are left out.
  std::vector<nlohmann::ordered_json> Rows() const;

  // All of them as they came, those of undone steps too.
  const std::vector<nlohmann::ordered_json>& Lines() const { return lines_; }

  // Rows as CSV with a head; a cell is empty where a row lacks the column. Rows of texts alone,
  // such as an entry of the hash chain, are left out.
  std::string Csv() const;

  // Names of numeric columns, in order of appearance; "step" and "time" come first.
  std::vector<std::string> Columns() const;

 private:
  bool AddLine(int attempt, int rank, const std::string& line);

  std::map<std::pair<int, int>, std::string> rests_;
  std::map<std::pair<int, int>, int64_t> last_steps_;
  std::map<int, int64_t> first_steps_;  // by attempt: from there on, earlier ones are undone
  std::vector<nlohmann::ordered_json> lines_;
};

}  // namespace baton::client
