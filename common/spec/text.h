// Words, numbers, sizes and durations as a spec writes them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/job_spec.h"
#include "common/utf8.h"

namespace baton::spec {

// Decimal digits with an optional sign. `*overflow` tells a number that is too large from no
// number at all.
std::optional<int64_t> ParseInt(absl::string_view text, bool* overflow);

// As the core schema of YAML 1.2 writes numbers; not inf, not nan, not what overflows a double.
std::optional<double> ParseNumber(absl::string_view text);

// "N" or "A..B"; what is too large for 64 bits becomes the largest that is not.
std::optional<RanksRange> ParseRanks(absl::string_view text);

// "512MiB", "1.5 GB", "1073741824": bytes. Units B, kB, KB, MB, GB, TB, KiB, MiB, GiB, TiB.
std::optional<int64_t> ParseBytes(absl::string_view text);

// "90" and "90s", "15m", "1h30m", "2d": milliseconds. A number alone counts seconds.
std::optional<int64_t> ParseDurationMs(absl::string_view text);

// The candidates that `word` may be a slip of: those with the fewest letters to change, at most a
// third of them all; three at most.
std::vector<std::string> Nearest(absl::string_view word,
                                 const std::vector<std::string>& candidates);

// The text for a message: cut, between characters, where it is longer than `bytes_max`.
std::string Shown(absl::string_view text, size_t bytes_max = 40);

// "a, b or c".
std::string OrList(const std::vector<std::string>& words);

// The shortest decimal that reads back as the same double.
std::string NumberText(double number);

}  // namespace baton::spec
