// From the gradients of a rank's own shards to the summed gradient of all, in the canonical order,
// and with it what every rank must know of every other at each step. Gradients leave bucket by
// bucket (parallel/shard_plan.h), while the backward passes still run.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/comm/group.h"
#include "trainer/parallel/row_exchange.h"
#include "trainer/parallel/shard_plan.h"
#include "trainer/parallel/shard_pool.h"
#include "trainer/parallel/tree_sum.h"

namespace baton::trainer {

// Nothing that arrives is written anywhere but into this object's own buffers, so a failed step
// leaves weights and optimizer as they were. Thread-compatible but for Ready; allocates nothing per
// step. After an error it is only to be destroyed, which may be while transfers are under way.
class GradientExchange {
 public:
  // The group and the pool must outlive it. Every rank creates it with the same numbers:
  // `parameters` floats of the dense gradient, the sparse tables, and the size of the buckets.
  static absl::StatusOr<std::unique_ptr<GradientExchange>> Create(
      Group& group, ShardPool& pool, int shards, size_t parameters,
      std::vector<RowTable> tables = {}, size_t bucket_bytes = kBucketBytes);

  // The shards that this rank runs.
  ShardRange run() const { return plan_.run; }
  // Where the gradient of the i-th of them goes (`parameters` floats), and its result.
  float* shard_gradient(int i) { return gradients_[static_cast<size_t>(i)].data(); }
  absl::Span<RowGradient> shard_rows(int i) { return rows_.shard_rows(i); }
  ShardResult& shard_result(int i) { return own_results_[static_cast<size_t>(i)]; }

  // Says that the gradient of the i-th of them is final from float `from` on; smaller each time.
  // May be left out. The call that is the last of all shards for a bucket adds this rank's part up
  // and starts to send it. From the thread that computes the shard: shards may come here at once.
  void Ready(int i, size_t from);

  struct Step {
    int64_t step = 0;             // from 0
    uint64_t weights_digest = 0;  // XXH3 of this rank's weights
    uint32_t flags = 0;           // kFlag...
  };
  struct Sum {
    absl::Span<const float> gradient;           // valid until the next Run
    absl::Span<const RowGradient* const> rows;  // likewise, one for each table
    absl::Span<const ShardResult> results;      // of all shards, in their order
    uint32_t flags = 0;                         // of all ranks, or-ed: the same on every rank
  };
  // When all gradients and results are there: the rest of the step. UNAVAILABLE or
  // DEADLINE_EXCEEDED when a peer was lost (`timeout` is for each bucket and round). DATA_LOSS when
  // the ranks' weights are no longer the same, naming the rank that differs from rank 0; INTERNAL
  // when they are not at the same step.
  absl::StatusOr<Sum> Run(const Step& step, std::chrono::milliseconds timeout);

 private:
  struct Bucket {
    std::atomic<int> shards_left{0};  // own ones that have not come to it in this step
    std::vector<const float*> parts;  // of all nodes, in this rank's slice
    std::unique_ptr<Transfer> exchange;
    std::unique_ptr<Transfer> gather;
  };

  GradientExchange(Group& group, ShardPool& pool, int shards, size_t parameters,
                   std::vector<RowTable> tables, size_t bucket_bytes);
  absl::Status Prepare();
  void Renew();
  void ReduceOwn(size_t bucket, ShardPool* pool);
  void StartRest(const Step& step, size_t row_bytes);
  absl::Status SumBuckets(const Step& step, std::chrono::milliseconds timeout);
  absl::Status ReadPeers(const Step& step);
  const char* MessageOf(const BucketPlan& bucket, int rank) const;

  Group& group_;
  ShardPool& pool_;
  const ExchangePlan plan_;
  std::vector<std::vector<float>> gradients_;  // per own shard
  std::vector<ShardResult> own_results_;
  std::vector<ShardResult> results_;  // all shards
  std::vector<char> send_;
  std::vector<char> receive_;
  std::vector<float> sum_;
  std::vector<TreeSum> own_sums_;     // per own node
  TreeSum all_;                       // over the nodes of all ranks
  std::vector<const float*> leaves_;  // of own shards
  std::vector<size_t> reached_;       // per own shard: buckets that it has come to in this step
  uint32_t flags_ = 0;
  const bool has_tables_;
  RowExchange rows_;
  std::vector<size_t> row_bytes_;  // per rank, of this step
  std::vector<Bucket> buckets_;    // last, so that transfers go before the memory they use
};

}  // namespace baton::trainer
