#include "trainer/data/image_dataset.h"

#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/hash.h"

namespace baton::trainer {
namespace {

int64_t SampleSize(const std::vector<uint32_t>& dims) {
  BATON_CHECK(dims.size() == 3 || dims.size() == 4, "images without height and width");
  int64_t size = 1;
  for (size_t i = 1; i < dims.size(); ++i) size *= dims[i];
  return size;
}

}  // namespace

ImageDataset::ImageDataset(idx::IdxArray images, const idx::IdxArray& labels, float divide_by)
    : bytes_(std::move(images.values)),
      labels_(labels.values.begin(), labels.values.end()),
      sample_sizes_{SampleSize(images.dims)},
      divide_by_(divide_by) {
  BATON_CHECK(labels_.size() == images.dims[0], "images and labels of different counts");
}

void ImageDataset::Fill(absl::Span<const uint32_t> indices, const RandomStream* /*random*/,
                        Batch* batch) const {
  const auto size = static_cast<size_t>(sample_sizes_[0]);
  batch->count = static_cast<int64_t>(indices.size());
  batch->values.resize(indices.size() * size);
  batch->labels.resize(indices.size());

  // 256 divisions in place of one per value.
  std::array<float, 256> scaled;
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = static_cast<float>(i) / divide_by_;

  float* out = batch->values.data();
  for (size_t i = 0; i < indices.size(); ++i) {
    BATON_CHECK(indices[i] < labels_.size(), "sample index beyond the data set");
    const uint8_t* in = bytes_.data() + indices[i] * size;
    for (size_t j = 0; j < size; ++j) *out++ = scaled[in[j]];
    batch->labels[i] = labels_[indices[i]];
  }
}

std::string ImageDataset::digest() const {
  return absl::StrFormat("xxh3:%016x%016x", Xxh3(bytes_.data(), bytes_.size()),
                         Xxh3(labels_.data(), labels_.size() * sizeof(labels_[0])));
}

}  // namespace baton::trainer
