// Text as samples: some characters in a row, and the character after each of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/data/dataset.h"

namespace baton::trainer {

struct TextSamples {
  std::vector<int32_t> ids;           // the text
  std::vector<std::string> alphabet;  // by id
  int64_t positions = 0;              // of a sample; less than there are ids
  bool every_position = true;         // labels for each position, else for the last alone
};

// Sample i begins at character i * positions. In training at one drawn from the `positions` on, so
// that each epoch sees the text cut at other places.
class TextDataset : public Dataset {
 public:
  explicit TextDataset(TextSamples samples);

  int64_t count() const override { return count_; }
  const std::vector<int64_t>& sample_sizes() const override { return sample_sizes_; }
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;
  std::string digest() const override;
  std::vector<std::string> labels() const override { return samples_.alphabet; }

 private:
  const TextSamples samples_;
  const std::vector<int64_t> sample_sizes_;
  const int64_t count_;
};

}  // namespace baton::trainer
