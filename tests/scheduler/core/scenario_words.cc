#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "tests/scheduler/core/scenario.h"

namespace baton::core {

int64_t ParseMillis(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  int64_t number = 0;
  BATON_CHECK(absl::SimpleAtoi(text.substr(0, digits), &number), text);
  const std::string unit = digits == std::string::npos ? "ms" : text.substr(digits);
  if (unit == "ms") return number;
  if (unit == "s") return number * 1000;
  if (unit == "m") return number * 60'000;
  if (unit == "h") return number * 3'600'000;
  CheckFailed(__FILE__, __LINE__, "unknown unit in " + text);
}

Words Words::Parse(const std::string& line) {
  Words words;
  for (const auto& part : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const std::string word(part);
    const size_t equals = word.find('=');
    if (words.command.empty()) {
      words.command = word;
    } else if (equals == std::string::npos) {
      words.plain.push_back(word);
    } else {
      words.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return words;
}

std::string Words::Text(const std::string& key, const std::string& otherwise) const {
  const auto it = options.find(key);
  return it == options.end() ? otherwise : it->second;
}

int64_t Words::Number(const std::string& key, int64_t otherwise) const {
  const auto it = options.find(key);
  if (it == options.end()) return otherwise;
  int64_t number = 0;
  BATON_CHECK(absl::SimpleAtoi(it->second, &number), key + "=" + it->second);
  return number;
}

int64_t Words::Millis(const std::string& key, int64_t otherwise) const {
  const auto it = options.find(key);
  return it == options.end() ? otherwise : ParseMillis(it->second);
}

}  // namespace baton::core
