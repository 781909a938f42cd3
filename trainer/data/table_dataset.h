// Samples as rows of floats: tables and arrays, and windows that slide over a series.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/data/dataset.h"

namespace baton::trainer {

// A row-major block of which sample i takes the `size` values from begin + i * stride on. Windows
// of a series overlap: their stride is one row, their size several.
template <class T>
struct SampleBlock {
  std::vector<T> values;
  int64_t size = 0;
  int64_t stride = 0;
  int64_t begin = 0;
};

struct TableSamples {
  int64_t count = 0;
  // Which of the blocks' samples there are; empty: the first `count`.
  std::vector<uint32_t> chosen;
  std::vector<SampleBlock<float>> inputs;  // of each input of the model
  // What the model's loss is held against; the other one is empty.
  SampleBlock<int32_t> labels;
  SampleBlock<float> targets;
  double target_unit = 1;
  std::vector<uint8_t> anomalies;  // this and the next: as Dataset has them
  std::optional<Series> series;
};

class TableDataset : public Dataset {
 public:
  explicit TableDataset(TableSamples samples);

  int64_t count() const override { return samples_.count; }
  const std::vector<int64_t>& sample_sizes() const override { return sample_sizes_; }
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;
  std::string digest() const override;
  double target_unit() const override { return samples_.target_unit; }
  std::optional<Series> series() const override { return samples_.series; }
  absl::Span<const uint8_t> anomalies() const override { return samples_.anomalies; }

 private:
  const TableSamples samples_;
  std::vector<int64_t> sample_sizes_;
};

}  // namespace baton::trainer
