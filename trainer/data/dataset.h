// Samples held in memory and how a batch is cut from them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/idx/idx.h"
#include "trainer/data/batch.h"

namespace baton::trainer {

// Immutable after it is read, so threads share it freely.
struct Dataset {
  int64_t count = 0;                  // samples
  std::vector<int64_t> sample_shape;  // (C, H, W) for images
  std::vector<uint8_t> bytes;         // count x sample size, row-major
  std::vector<int32_t> labels;        // count, each in [0, classes)
  float divide_by = 1;                // a value of a batch is byte / divide_by, rounded once

  int64_t sample_size() const;

  // Replaces `batch` by the samples `indices`, in that order. Reuses the batch's memory. Every
  // index must be below count.
  void Fill(absl::Span<const uint32_t> indices, Batch* batch) const;
};

// Of images (N, H, W) or (N, C, H, W) and labels (N) that belong together, as spec::CheckData found
// them to be. C = 1 for (N, H, W).
Dataset MakeDataset(idx::IdxArray images, const idx::IdxArray& labels, float divide_by);

}  // namespace baton::trainer
