#include "common/metrics_line.h"

#include "absl/strings/match.h"

namespace baton {

std::string PlainMetricsLine(absl::string_view line) {
  // Longer words first: "-Infinity" holds "Infinity".
  constexpr absl::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string plain;
  plain.reserve(line.size());
  bool in_string = false;
  while (!line.empty()) {
    absl::string_view word = line.substr(0, 1);
    if (in_string && line[0] == '\\') {
      word = line.substr(0, 2);
    } else if (line[0] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      for (const absl::string_view number : kWords) {
        if (!absl::StartsWith(line, number)) continue;
        line.remove_prefix(number.size());
        plain += "null";
        word = "";
        break;
      }
    }
    plain.append(word.data(), word.size());
    line.remove_prefix(word.size());
  }
  return plain;
}

}  // namespace baton
