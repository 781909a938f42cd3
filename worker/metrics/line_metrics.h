// Metrics read from what a program prints, by the regular expressions of its spec.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/core/task.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace baton::worker {

// Not thread-safe.
class LineMetrics {
 public:
  // Patterns that do not compile match nothing: the spec's reader has refused them.
  explicit LineMetrics(const std::vector<MetricPattern>& patterns);
  ~LineMetrics();
  LineMetrics(const LineMetrics&) = delete;
  LineMetrics& operator=(const LineMetrics&) = delete;

  // The next bytes that were printed. Gives a JSON line, {"step":..,"time":..,"NAME":..}, for each
  // printed line in which a pattern has matched; "" for none. A line ends with a newline or a
  // carriage return, colours are left out of it, and what is beyond 16 KiB is not looked at. The
  // step is that of the pattern named "step", else "epoch", in this line or one before it; without
  // such a pattern lines have none.
  std::string Take(absl::string_view bytes, int64_t now_ms);
  // The last line, which nothing ended.
  std::string End(int64_t now_ms);
  // A value that is no number, told once; empty: none, or told before.
  std::string TakeProblem() { return std::exchange(problem_, ""); }

 private:
  std::string Line(std::string line, int64_t now_ms);

  struct Compiled {
    std::string name;
    std::unique_ptr<re2::RE2> pattern;
  };
  std::vector<Compiled> patterns_;
  bool has_step_ = false;  // one of them is named "step"
  std::string rest_;
  std::optional<int64_t> step_;  // newest
  std::string problem_;
  bool has_told_ = false;
};

}  // namespace baton::worker
