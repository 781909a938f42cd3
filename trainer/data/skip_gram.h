// Samples of skip-gram with negative sampling: Mikolov, Sutskever, Chen, Corrado, Dean,
// "Distributed representations of words and phrases and their compositionality", NIPS'13,
// sections 2.2 and 2.3, with the constants of the authors' word2vec.c.
//
// A sample is a word of the text, one word near it (target 1) and `negatives` words drawn by
// count^(3/4) (target 0; never the near one). word2vec.c gives each place of the text a window of 1
// to `window` words to each side, all of them equally likely, and takes all words within; here a
// sample takes one, the word at distance d with the odds of all windows that reach it, window + 1 -
// d. `pairs_per_word` samples of each place, window + 1 by default, make an epoch as many pairs as
// word2vec.c's on average.
//
// Subsampling: a word with the share f of the text stays with the chance (sqrt(f / t) + 1) * t / f,
// as in word2vec.c. Drawn once for each place, by the seed, so that every epoch has the same number
// of samples; what is dropped does not count in windows. Windows end with the sentence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/text/words.h"
#include "trainer/data/alias_table.h"
#include "trainer/data/dataset.h"

namespace baton::trainer {

class SkipGramDataset : public Dataset {
 public:
  // `text` as spec::CheckData found it to be: with two words in one sentence. `word_first`: whether
  // the model's input of the word comes before that of the context.
  SkipGramDataset(const spec::SkipGramData& data, const text::Text& text, uint64_t seed,
                  bool word_first);

  int64_t count() const override;
  const std::vector<int64_t>& sample_sizes() const override { return sample_sizes_; }
  // Without `random` (a warm-up) the draws are those of a fixed stream.
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;
  std::string digest() const override { return digest_; }
  const char* noun() const override { return "pairs"; }

 private:
  void Thin(const text::Text& text, double subsample, uint64_t seed);
  void KeepNeighbours();
  // A sample before its draws.
  struct Beginning {
    size_t place = 0;
    RandomSequence draws;
  };
  void Begin(absl::Span<const uint32_t> indices, RandomStream random, size_t first,
             std::vector<Beginning>* samples) const;
  int32_t DrawNear(size_t place, RandomSequence& random) const;
  int32_t DrawFar(int32_t near, RandomSequence& random) const;

  const int64_t window_, negatives_, pairs_per_word_;
  const bool word_first_;
  const std::vector<int64_t> sample_sizes_;
  std::vector<int32_t> tokens_;   // after subsampling, a kSentenceEnd at both ends of a sentence
  std::vector<uint32_t> places_;  // of the words in it
  AliasTable far_;
  std::vector<uint16_t> distances_;  // by a draw from the odds of one side: each as often as it has
  std::string digest_;
};

}  // namespace baton::trainer
