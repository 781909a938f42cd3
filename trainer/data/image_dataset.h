// Images as bytes, with one label each: what IDX files hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/idx/idx.h"
#include "trainer/data/dataset.h"

namespace baton::trainer {

class ImageDataset : public Dataset {
 public:
  // Of images (N, H, W) or (N, C, H, W) and labels (N) that belong together, as spec::CheckData
  // found them to be. A value of a batch is byte / divide_by, rounded once.
  ImageDataset(idx::IdxArray images, const idx::IdxArray& labels, float divide_by);

  int64_t count() const override { return static_cast<int64_t>(labels_.size()); }
  const std::vector<int64_t>& sample_sizes() const override { return sample_sizes_; }
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override;
  std::string digest() const override;
  const char* noun() const override { return "images"; }

 private:
  const std::vector<uint8_t> bytes_;  // count x sample size, row-major
  const std::vector<int32_t> labels_;
  const std::vector<int64_t> sample_sizes_;
  const float divide_by_;
};

}  // namespace baton::trainer
