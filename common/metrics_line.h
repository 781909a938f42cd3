// One line of BATON_METRICS_FILE (common/contract.h), which everybody reads alike.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace baton {

// As JSON proper: NaN, Infinity and -Infinity, which Python's json.dumps writes for numbers that
// are none, become null. Everything else stays as it is.
std::string PlainMetricsLine(absl::string_view line);

// The count of steps that a number in a line means; nothing when it is not whole, or negative.
inline std::optional<int64_t> StepOfNumber(double number) {
  constexpr double kEnd = 9e15;  // whole numbers below are exact in a double
  if (!(number >= 0 && number < kEnd) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace baton
