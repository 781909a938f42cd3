#include "trainer/data/dataset.h"

#include <array>
#include <cstddef>
#include <utility>

#include "common/check.h"

namespace baton::trainer {

int64_t Dataset::sample_size() const {
  int64_t size = 1;
  for (int64_t extent : sample_shape) size *= extent;
  return size;
}

void Dataset::Fill(absl::Span<const uint32_t> indices, Batch* batch) const {
  const auto size = static_cast<size_t>(sample_size());
  batch->count = static_cast<int64_t>(indices.size());
  batch->values.resize(indices.size() * size);
  batch->labels.resize(indices.size());

  // 256 divisions in place of one per value.
  std::array<float, 256> scaled;
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = static_cast<float>(i) / divide_by;

  float* out = batch->values.data();
  for (size_t i = 0; i < indices.size(); ++i) {
    BATON_CHECK(indices[i] < count, "sample index beyond the data set");
    const uint8_t* in = bytes.data() + indices[i] * size;
    for (size_t j = 0; j < size; ++j) *out++ = scaled[in[j]];
    batch->labels[i] = labels[indices[i]];
  }
}

Dataset MakeDataset(idx::IdxArray images, const idx::IdxArray& labels, float divide_by) {
  const auto& dims = images.dims;
  BATON_CHECK(dims.size() == 3 || dims.size() == 4, "images without height and width");
  BATON_CHECK(labels.values.size() == dims[0], "images and labels of different counts");
  Dataset dataset;
  dataset.count = dims[0];
  if (dims.size() == 3) dataset.sample_shape.push_back(1);
  dataset.sample_shape.insert(dataset.sample_shape.end(), dims.begin() + 1, dims.end());
  dataset.bytes = std::move(images.values);
  dataset.labels.assign(labels.values.begin(), labels.values.end());
  dataset.divide_by = divide_by;
  return dataset;
}

}  // namespace baton::trainer
