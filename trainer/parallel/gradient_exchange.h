// The exchange of gradients in host memory, over a group of ranks. They leave bucket by bucket
// (parallel/shard_plan.h), while the backward passes still run.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/comm/group.h"
#include "trainer/parallel/exchange.h"
#include "trainer/parallel/row_exchange.h"
#include "trainer/parallel/shard_plan.h"
#include "trainer/parallel/shard_pool.h"
#include "trainer/parallel/step_header.h"
#include "trainer/parallel/tree_sum.h"

namespace baton::trainer {

// Allocates nothing per step.
class GradientExchange : public Exchange {
 public:
  // The group and the pool must outlive it. Every rank creates it with the same numbers:
  // `parameters` floats of the dense gradient, the sparse tables, and the size of the buckets.
  static absl::StatusOr<std::unique_ptr<GradientExchange>> Create(
      Group& group, ShardPool& pool, int shards, size_t parameters,
      std::vector<RowTable> tables = {}, size_t bucket_bytes = kBucketBytes);

  ShardRange run() const override { return plan_.run; }
  // `parameters` floats each.
  float* shard_gradient(int i) override { return gradients_[static_cast<size_t>(i)].data(); }
  absl::Span<RowGradient> shard_rows(int i) override { return rows_.shard_rows(i); }
  ShardResult& shard_result(int i) override { return own_results_[static_cast<size_t>(i)]; }
  bool starts_early() const override { return plan_.ranks > 1; }
  void Ready(int i, size_t from) override;
  absl::StatusOr<Sum> Run(const Step& step, std::chrono::milliseconds timeout) override;

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
  const char* MessageOf(const BucketPlan& bucket, int rank) const;

  Group& group_;
  ShardPool& pool_;
  const ExchangePlan plan_;
  std::vector<std::vector<float>> gradients_;  // per own shard
  std::vector<ShardResult> own_results_;
  std::vector<char> send_;
  std::vector<char> receive_;
  std::vector<float> sum_;
  std::vector<TreeSum> own_sums_;     // per own node
  TreeSum all_;                       // over the nodes of all ranks
  std::vector<const float*> leaves_;  // of own shards
  std::vector<size_t> reached_;       // per own shard: buckets that it has come to in this step
  const bool has_tables_;
  RowExchange rows_;
  Heard heard_;                  // of all ranks, of this step
  std::vector<Bucket> buckets_;  // last, so that transfers go before the memory they use
};

}  // namespace baton::trainer
