// A metric that is read from what a program prints.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton {

inline constexpr size_t kMetricPatternsMax = 64;  // of a job
inline constexpr size_t kMetricPatternBytesMax = 1'024;
inline constexpr size_t kMetricNameBytesMax = 128;

// Whether a job may name this metric, read by this regular expression (RE2), whose group 1 is the
// value. InvalidArgument with what to do, without the metric's name.
absl::Status CheckMetricPattern(absl::string_view name, const std::string& pattern);

}  // namespace baton
