// Which samples each logical shard trains on: a pure function of (seed, epoch, step, shard). The
// number of ranks does not appear in it.
//
// An epoch is one permutation of the data, cut in batches of batch_size in order. The last batch of
// an epoch may be smaller and is kept. A batch of b samples is cut in `shards` contiguous
// micro-batches whose sizes differ by at most one (shard s takes [s*b/V, (s+1)*b/V)); in a small
// last batch some may be empty. Gradients are scaled by 1 / (samples of the whole batch).
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::trainer {

struct SamplerOptions {
  uint64_t seed = 0;
  int64_t sample_count = 0;  // 1 .. 2^32 - 1
  int64_t batch_size = 0;    // samples of a whole (global) batch
  int shards = 1;            // V; 1 .. batch_size
  bool shuffle = true;       // false: every epoch in the order of the file
};

// Immutable, so threads share it freely.
class Sampler {
 public:
  // INVALID_ARGUMENT when the options are out of the ranges above.
  static absl::StatusOr<Sampler> Create(const SamplerOptions& options);

  int64_t steps_per_epoch() const;
  // The largest micro-batch a shard can get.
  int64_t micro_batch_max() const;
  // Samples of the whole batch of step `step_in_epoch` (0-based).
  int64_t batch_count(int64_t step_in_epoch) const;

  // The order of the samples in an epoch (0-based): O(sample_count), so compute it once per epoch.
  std::vector<uint32_t> Order(int64_t epoch) const;
  // The part of Order(epoch) that a shard trains on; points into `order`.
  absl::Span<const uint32_t> MicroBatch(absl::Span<const uint32_t> order, int64_t step_in_epoch,
                                        int shard) const;

 private:
  explicit Sampler(const SamplerOptions& options) : options_(options) {}
  SamplerOptions options_;
};

}  // namespace baton::trainer
