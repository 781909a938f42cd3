#include "trainer/data/word_judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"

namespace baton::trainer {
namespace {

std::vector<double> Ranks(absl::Span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double shared = static_cast<double>(begin + end - 1) / 2;
    for (; begin < end; ++begin) ranks[order[begin]] = shared;
  }
  return ranks;
}

double Dot(const float* a, const float* b, size_t width) {
  double sum = 0;
  for (size_t c = 0; c < width; ++c) sum += double{a[c]} * double{b[c]};
  return sum;
}

}  // namespace

double RankCorrelation(absl::Span<const double> a, absl::Span<const double> b) {
  const std::vector<double> ranks_a = Ranks(a), ranks_b = Ranks(b);
  const double mean = static_cast<double>(a.size() - 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < ranks_a.size(); ++i) {
    const double from_a = ranks_a[i] - mean, from_b = ranks_b[i] - mean;
    ab += from_a * from_b;
    aa += from_a * from_a;
    bb += from_b * from_b;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

WordJudge::WordJudge(const std::vector<text::WordPair>& pairs,
                     const std::vector<std::string>& words) {
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < words.size(); ++i) numbers[words[i]] = i;
  const auto find = [&](const std::string& word) {
    const auto it = numbers.find(word);
    return it != numbers.end() ? it : numbers.find(absl::AsciiStrToLower(word));
  };
  for (const text::WordPair& pair : pairs) {
    const auto a = find(pair.a), b = find(pair.b);
    if (a == numbers.end() || b == numbers.end()) continue;
    pairs_.emplace_back(a->second, b->second);
    scores_.push_back(pair.score);
  }
}

double WordJudge::Judge(const float* table, size_t width) const {
  std::vector<double> cosines;
  for (const auto& [first, second] : pairs_) {
    const float* a = table + first * width;
    const float* b = table + second * width;
    const double lengths = std::sqrt(Dot(a, a, width)) * std::sqrt(Dot(b, b, width));
    cosines.push_back(lengths > 0 ? Dot(a, b, width) / lengths : 0);
  }
  return RankCorrelation(cosines, scores_);
}

}  // namespace baton::trainer
