#include "trainer/data/text_dataset.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {

TextDataset::TextDataset(TextSamples samples)
    : samples_(std::move(samples)),
      sample_sizes_{samples_.positions},
      count_((static_cast<int64_t>(samples_.ids.size()) - 1) / samples_.positions) {
  BATON_CHECK(count_ > 0, "a text that is shorter than one sample");
}

void TextDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
                       Batch* batch) const {
  const int64_t positions = samples_.positions;
  const auto length = static_cast<int64_t>(samples_.ids.size());
  const auto width = static_cast<size_t>(positions);
  const size_t rows = samples_.every_position ? width : 1;
  batch->count = static_cast<int64_t>(indices.size());
  batch->values.resize(indices.size() * width);
  batch->labels.resize(indices.size() * rows);
  batch->targets.clear();
  float* value = batch->values.data();
  int32_t* label = batch->labels.data();
  for (size_t i = 0; i < indices.size(); ++i) {
    BATON_CHECK(indices[i] < count_, "sample index beyond the data set");
    int64_t begin = int64_t{indices[i]} * positions;
    if (random != nullptr) {
      // The last sample has less room: behind it the text ends.
      const int64_t room = std::min(positions, length - positions - begin);
      begin += random->Bits(i) % room;
    }
    const int32_t* ids = samples_.ids.data() + begin;
    for (int64_t t = 0; t < positions; ++t) *value++ = static_cast<float>(ids[t]);
    label = std::copy_n(ids + positions + 1 - static_cast<int64_t>(rows), rows, label);
  }
}

std::string TextDataset::digest() const {
  return absl::StrFormat("xxh3:text:%d:%d:%016x", samples_.positions,
                         samples_.every_position ? samples_.positions : 1,
                         Xxh3(samples_.ids.data(), samples_.ids.size() * sizeof(int32_t)));
}

}  // namespace baton::trainer
