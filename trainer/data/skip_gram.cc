#include "trainer/data/skip_gram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

// Numbers of the batch's stream that a sample may use, more than any does.
constexpr uint64_t kBlocksPerSample = uint64_t{1} << 20;

constexpr size_t kSamplesAtOnce = 32;

// count^(3/4) by square roots, which IEEE 754 rounds correctly: the same bits on every CPU.
std::vector<double> FarOdds(const std::vector<int64_t>& counts) {
  std::vector<double> odds;
  for (const int64_t count : counts) {
    const double root = std::sqrt(static_cast<double>(count));
    odds.push_back(root * std::sqrt(root));
  }
  return odds;
}

// The odds of the words on one side, of which there are `count`: their sum.
int64_t OddsOfSide(int64_t count, int64_t window) {
  return count * (window + 1) - count * (count + 1) / 2;
}

}  // namespace

SkipGramDataset::SkipGramDataset(const spec::SkipGramData& data, const text::Text& text,
                                 uint64_t seed, bool word_first)
    : window_(data.window),
      negatives_(data.negatives),
      pairs_per_word_(data.pairs_per_word),
      word_first_(word_first),
      sample_sizes_(word_first ? std::vector<int64_t>{1, 1 + data.negatives}
                               : std::vector<int64_t>{1 + data.negatives, 1}),
      far_(FarOdds(text.counts)) {
  for (int64_t distance = 1; distance <= window_; ++distance) {
    distances_.insert(distances_.end(), static_cast<size_t>(window_ + 1 - distance),
                      static_cast<uint16_t>(distance));
  }
  Thin(text, data.subsample, seed);
  KeepNeighbours();
  // Hardly any text is thinned to nothing; one that is stays whole.
  if (places_.empty()) {
    Thin(text, 0, seed);
    KeepNeighbours();
  }
  BATON_CHECK(!places_.empty(), "a text without neighbours");
  digest_ = absl::StrFormat("xxh3:skip_gram:%d:%d:%d:%016x:%016x", window_, negatives_,
                            pairs_per_word_, Xxh3(tokens_.data(), tokens_.size() * sizeof(int32_t)),
                            Xxh3(text.counts.data(), text.counts.size() * sizeof(int64_t)));
}

void SkipGramDataset::Thin(const text::Text& text, double subsample, uint64_t seed) {
  std::vector<float> chances;
  for (const int64_t count : text.counts) {
    const double share = static_cast<double>(count) / static_cast<double>(text.places);
    const double ratio = subsample / share;
    chances.push_back(subsample > 0 ? static_cast<float>(std::sqrt(ratio) + ratio) : 1.0f);
  }
  const RandomStream stream = RandomStream::Make(seed, RandomPurpose::kSubsample);
  RandomSequence random(stream);
  tokens_ = {text::kSentenceEnd};
  for (const int32_t token : text.tokens) {
    const bool stays = token == text::kSentenceEnd ||
                       RandomStream::ToUnit(random.Next()) < chances[static_cast<size_t>(token)];
    if (stays) tokens_.push_back(token);
  }
}

// Drops sentences of one word, in which nothing is near anything.
void SkipGramDataset::KeepNeighbours() {
  size_t end = 1;
  places_.clear();
  for (size_t i = 1; i < tokens_.size(); ++i) {
    const bool alone = tokens_[i] != text::kSentenceEnd && tokens_[i - 1] == text::kSentenceEnd &&
                       (i + 1 == tokens_.size() || tokens_[i + 1] == text::kSentenceEnd);
    const bool empty = tokens_[i] == text::kSentenceEnd && tokens_[end - 1] == text::kSentenceEnd;
    if (alone || empty) continue;
    tokens_[end++] = tokens_[i];
  }
  tokens_.resize(end);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i] != text::kSentenceEnd) places_.push_back(static_cast<uint32_t>(i));
  }
}

int64_t SkipGramDataset::count() const {
  return static_cast<int64_t>(places_.size()) * pairs_per_word_;
}

int32_t SkipGramDataset::DrawNear(size_t place, RandomSequence& random) const {
  int64_t left = 0, right = 0;
  while (left < window_ && tokens_[place - left - 1] != text::kSentenceEnd) ++left;
  while (right < window_ && tokens_[place + right + 1] != text::kSentenceEnd) ++right;
  const int64_t left_odds = OddsOfSide(left, window_);
  const int64_t draw = random.Below(static_cast<uint32_t>(left_odds + OddsOfSide(right, window_)));
  // Without a branch, which would be taken by chance.
  const bool to_left = draw < left_odds;
  const int64_t distance = distances_[static_cast<size_t>(draw - (to_left ? 0 : left_odds))];
  return tokens_[place + static_cast<size_t>(to_left ? -distance : distance)];
}

int32_t SkipGramDataset::DrawFar(int32_t near, RandomSequence& random) const {
  while (true) {
    const auto far = static_cast<int32_t>(far_.Draw(random));
    if (far != near) return far;
  }
}

// Samples lie anywhere in the text, and draws anywhere in their table: what some samples will read
// is fetched for all of them at once, so that none waits for its own.
void SkipGramDataset::Begin(absl::Span<const uint32_t> indices, RandomStream random, size_t first,
                            std::vector<Beginning>* samples) const {
  samples->clear();
  for (size_t i = 0; i < indices.size(); ++i) {
    BATON_CHECK(indices[i] < count(), "sample index beyond the data set");
    samples->push_back({places_[indices[i] / static_cast<uint32_t>(pairs_per_word_)],
                        RandomSequence(random, (first + i) * kBlocksPerSample)});
  }
  constexpr size_t kReach = 4;  // one more cache line holds most windows
  for (Beginning& sample : *samples) {
    __builtin_prefetch(&tokens_[sample.place - std::min(sample.place, kReach)]);
    __builtin_prefetch(&tokens_[std::min(sample.place + kReach, tokens_.size() - 1)]);
    // One number for the near word, two for each of the others, but for rare repetitions.
    for (int64_t k = 0; k < negatives_; ++k) {
      far_.Fetch(sample.draws.Peek(static_cast<size_t>(1 + 2 * k)));
    }
  }
}

void SkipGramDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
                           Batch* batch) const {
  const auto count = indices.size();
  const auto contexts = static_cast<size_t>(1 + negatives_);
  const RandomStream stream =
      random != nullptr ? *random : RandomStream::Make(0, RandomPurpose::kSamples);
  batch->count = static_cast<int64_t>(count);
  batch->values.resize(count * (1 + contexts));
  batch->labels.clear();
  batch->targets.assign(count * contexts, 0.0f);
  float* word = batch->values.data() + (word_first_ ? 0 : count * contexts);
  float* context = batch->values.data() + (word_first_ ? count : 0);
  std::vector<Beginning> samples;
  samples.reserve(kSamplesAtOnce);
  for (size_t first = 0; first < count; first += kSamplesAtOnce) {
    const size_t some = std::min(kSamplesAtOnce, count - first);
    Begin(indices.subspan(first, some), stream, first, &samples);
    for (Beginning& sample : samples) {
      const int32_t near = DrawNear(sample.place, sample.draws);
      *word++ = static_cast<float>(tokens_[sample.place]);
      *context++ = static_cast<float>(near);
      for (int64_t k = 0; k < negatives_; ++k) {
        *context++ = static_cast<float>(DrawFar(near, sample.draws));
      }
    }
  }
  for (size_t i = 0; i < count; ++i) batch->targets[i * contexts] = 1;
}

}  // namespace baton::trainer
