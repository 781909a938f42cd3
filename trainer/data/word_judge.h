// How well vectors agree with people on which words are near: Spearman's rank correlation between
// the cosines of pairs of words and the scores that people gave (Finkelstein et al., "Placing
// search in context: the concept revisited", WWW'01).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/text/pairs.h"

namespace baton::trainer {

// Of values that belong together, at least two; ties share their ranks' mean. 0 when one of the two
// is the same everywhere. Basic operations in a fixed order: the same bits on every CPU.
double RankCorrelation(absl::Span<const double> a, absl::Span<const double> b);

// Immutable.
class WordJudge {
 public:
  // Pairs of which a word is not in `words` are left out; a word is looked up as it is written,
  // else in lower case.
  WordJudge(const std::vector<text::WordPair>& pairs, const std::vector<std::string>& words);

  int64_t count() const { return static_cast<int64_t>(scores_.size()); }
  // `table` has a row of `width` for each of the words.
  double Judge(const float* table, size_t width) const;

 private:
  std::vector<std::pair<size_t, size_t>> pairs_;  // numbers of words
  std::vector<double> scores_;
};

}  // namespace baton::trainer
