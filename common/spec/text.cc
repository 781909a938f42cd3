#include "common/spec/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace baton::spec {
namespace {

// The number at the start of `*text`, cut off from it.
std::optional<double> TakeNumber(absl::string_view* text) {
  size_t length = 0;
  while (length < text->size() &&
         (absl::ascii_isdigit((*text)[length]) || (*text)[length] == '.')) {
    ++length;
  }
  const std::optional<double> number = ParseNumber(text->substr(0, length));
  if (number) text->remove_prefix(length);
  return number;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// Whole and below 2^53, so that the double holds it exactly.
std::optional<int64_t> ToCount(double value) {
  if (!(value >= 0) || value > 9007199254740992.0) return std::nullopt;
  return static_cast<int64_t>(std::floor(value + 0.5));
}

}  // namespace

std::optional<int64_t> ParseInt(absl::string_view text, bool* overflow) {
  *overflow = false;
  absl::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) {
    return std::nullopt;
  }
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    *overflow = true;
    return std::nullopt;
  }
  return value;
}

std::optional<double> ParseNumber(absl::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(c) || absl::StrContains("+-.eE", absl::string_view(&c, 1));
  });
  double value = 0;
  if (!plain || !absl::SimpleAtod(text, &value) || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<RanksRange> ParseRanks(absl::string_view text) {
  const size_t dots = text.find("..");
  const auto end = [](absl::string_view number) {
    bool overflow = false;
    const std::optional<int64_t> value = ParseInt(number, &overflow);
    if (!overflow) return value;
    return std::optional(number[0] == '-' ? std::numeric_limits<int64_t>::min()
                                          : std::numeric_limits<int64_t>::max());
  };
  const std::optional<int64_t> min = end(text.substr(0, dots));
  const std::optional<int64_t> max =
      dots == absl::string_view::npos ? min : end(text.substr(dots + 2));
  if (!min || !max) return std::nullopt;
  return RanksRange{*min, *max};
}

std::optional<int64_t> ParseBytes(absl::string_view text) {
  struct Unit {
    const char* name;
    double bytes;
  };
  static constexpr Unit kUnits[] = {
      {"", 1.0},
      {"B", 1.0},
      {"kB", 1e3},
      {"KB", 1e3},
      {"MB", 1e6},
      {"GB", 1e9},
      {"TB", 1e12},
      {"KiB", 1024.0},
      {"MiB", 1048576.0},
      {"GiB", 1073741824.0},
      {"TiB", 1099511627776.0},
  };
  const std::optional<double> number = TakeNumber(&text);
  if (!number) return std::nullopt;
  text = absl::StripAsciiWhitespace(text);
  for (const Unit& unit : kUnits) {
    if (text == unit.name) return ToCount(*number * unit.bytes);
  }
  return std::nullopt;
}

std::optional<int64_t> ParseDurationMs(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  double total_ms = 0;
  // Each unit once and in falling order: 1h30m, not 30m1h.
  static constexpr std::array<std::pair<char, double>, 4> kUnits = {
      {{'d', 86400e3}, {'h', 3600e3}, {'m', 60e3}, {'s', 1e3}}};
  size_t next = 0;
  while (!text.empty()) {
    const std::optional<double> number = TakeNumber(&text);
    if (!number) return std::nullopt;
    if (text.empty() && next == 0) return ToCount(*number * 1e3);
    while (next < kUnits.size() &&
           !absl::StartsWith(text, absl::string_view(&kUnits[next].first, 1))) {
      ++next;
    }
    if (next == kUnits.size()) return std::nullopt;
    total_ms += *number * kUnits[next++].second;
    text.remove_prefix(1);
  }
  return ToCount(total_ms);
}

std::vector<std::string> Nearest(absl::string_view word,
                                 const std::vector<std::string>& candidates) {
  std::vector<std::pair<size_t, std::string>> close;
  // A longer word is no slip of ours, and its distance would cost time.
  if (word.size() > 100) return {};
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance <= std::max<size_t>(1, std::max(word.size(), candidate.size()) / 3)) {
      close.push_back({distance, candidate});
    }
  }
  std::sort(close.begin(), close.end());
  std::vector<std::string> names;
  for (const auto& [distance, name] : close) {
    if (distance == close.front().first && names.size() < 3) names.push_back(name);
  }
  return names;
}

std::string Shown(absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t length = bytes_max;
  while (length > 0 && (text[length] & 0xc0) == 0x80) --length;
  return absl::StrCat(text.substr(0, length), "...");
}

std::string OrList(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
  }
  return text;
}

std::string NumberText(double number) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return std::string(buffer.data(), end);
}

}  // namespace baton::spec
