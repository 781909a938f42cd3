// What a step of all ranks needs besides each rank's own computation: the gradient of all shards,
// summed in the canonical order, and what every rank must know of every other. Where gradients lie
// and how they travel is an implementation's matter (gradient_exchange.h, device_exchange.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/parallel/shard_plan.h"

namespace baton::trainer {

// Nothing that arrives is written anywhere but into its own buffers, so a failed step leaves
// weights and optimizer as they were. Thread-compatible but for Ready. After an error it is only to
// be destroyed, which may be while transfers are under way.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // The shards that this rank runs.
  virtual ShardRange run() const = 0;
  // Where the gradient of the i-th of them goes, and its result.
  virtual float* shard_gradient(int i) = 0;
  virtual absl::Span<RowGradient> shard_rows(int i) = 0;
  virtual ShardResult& shard_result(int i) = 0;

  // Whether it begins before all gradients are there, when told by Ready.
  virtual bool starts_early() const = 0;
  // Says that the gradient of the i-th of them is final from float `from` on; smaller each time.
  // May be left out. The call that is the last of all shards for a bucket adds this rank's part up
  // and starts to send it. From the thread that computes the shard: shards may come here at once.
  virtual void Ready(int i, size_t from) = 0;

  struct Step {
    int64_t step = 0;             // from 0
    uint64_t weights_digest = 0;  // of this rank's weights
    uint32_t flags = 0;           // kFlag...
  };
  struct Sum {
    absl::Span<const float> gradient;           // where shards' lie; valid until the next Run
    absl::Span<const RowGradient* const> rows;  // likewise, one for each table
    absl::Span<const ShardResult> results;      // of all shards, in their order
    uint32_t flags = 0;                         // of all ranks, or-ed: the same on every rank
  };
  // When all gradients and results are there: the rest of the step. UNAVAILABLE or
  // DEADLINE_EXCEEDED when a peer was lost (`timeout` is for each bucket of the first round; a
  // later round is given more). DATA_LOSS when the ranks' weights are no longer the same, naming
  // the rank that differs from rank 0; INTERNAL when they are not at the same step.
  virtual absl::StatusOr<Sum> Run(const Step& step, std::chrono::milliseconds timeout) = 0;
};

}  // namespace baton::trainer
