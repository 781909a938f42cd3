// Pairs of words with a person's judgement of how near they are: a CSV file of three columns (word,
// word, number) with a header, such as WordSim-353.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::text {

inline constexpr size_t kPairsMax = size_t{1} << 20;

struct WordPair {
  std::string a;
  std::string b;
  double score = 0;
};

// NOT_FOUND when the file cannot be opened; else INVALID_ARGUMENT with file and line for a row of
// other columns or a score that is no finite number, and for fewer than three pairs.
absl::StatusOr<std::vector<WordPair>> ReadPairs(const std::string& path);

}  // namespace baton::text
