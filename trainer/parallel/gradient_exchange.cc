#include "trainer/parallel/gradient_exchange.h"

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace baton::trainer {
namespace {

// A share of a sum that is worth handing to another thread.
constexpr size_t kChunkFloats = 1 << 15;

// The sum over floats [first, first + count) of the inputs; how it is cut does not change bits.
void Add(const TreeSum& tree, const float* const* inputs, size_t first, size_t count, float* sum) {
  constexpr size_t kInputsMax = 64;
  const size_t n = tree.input_count();
  const float* few[kInputsMax];
  std::vector<const float*> many;
  const float** moved = few;
  if (n > kInputsMax) {
    many.resize(n);
    moved = many.data();
  }
  for (size_t i = 0; i < n; ++i) moved[i] = inputs[i] + first;
  tree.Add(moved, count, sum);
}

// The same by the pool's threads; without a pool by this one.
void AddOnPool(ShardPool* pool, const TreeSum& tree, const float* const* inputs, size_t first,
               size_t count, float* sum) {
  if (pool == nullptr) {
    Add(tree, inputs, first, count, sum);
    return;
  }
  const int chunks = static_cast<int>((count + kChunkFloats - 1) / kChunkFloats);
  pool->ForEach(chunks, [&](int chunk, int) {
    const size_t start = static_cast<size_t>(chunk) * kChunkFloats;
    Add(tree, inputs, first + start, std::min(kChunkFloats, count - start), sum + start);
  });
}

}  // namespace

GradientExchange::GradientExchange(Group& group, ShardPool& pool, int shards, size_t parameters,
                                   std::vector<RowTable> tables, size_t bucket_bytes)
    : group_(group),
      pool_(pool),
      plan_(shards, group.size(), group.rank(), parameters, bucket_bytes),
      gradients_(static_cast<size_t>(plan_.run.count), std::vector<float>(parameters)),
      own_results_(static_cast<size_t>(plan_.run.count)),
      // One shard's gradient is the sum.
      sum_(shards > 1 ? parameters : 0),
      all_({0, shards}, AllNodes(plan_)),
      reached_(static_cast<size_t>(plan_.run.count)),
      has_tables_(!tables.empty()),
      rows_(group, pool, plan_, std::move(tables)),
      buckets_(plan_.buckets.size()) {
  if (plan_.ranks > 1) {
    send_.resize(plan_.send_bytes);
    receive_.resize(plan_.receive_bytes);
  }
  for (const ShardRange& node : plan_.nodes[static_cast<size_t>(plan_.rank)]) {
    own_sums_.emplace_back(node, Leaves(node));
  }
  for (const std::vector<float>& gradient : gradients_) leaves_.push_back(gradient.data());
  heard_.row_bytes.resize(static_cast<size_t>(plan_.ranks));
  Renew();
}

absl::StatusOr<std::unique_ptr<GradientExchange>> GradientExchange::Create(
    Group& group, ShardPool& pool, int shards, size_t parameters, std::vector<RowTable> tables,
    size_t bucket_bytes) {
  auto exchange = std::unique_ptr<GradientExchange>(
      new GradientExchange(group, pool, shards, parameters, std::move(tables), bucket_bytes));
  if (group.size() > 1) BATON_RETURN_IF_ERROR(exchange->Prepare());
  return exchange;
}

absl::Status GradientExchange::Prepare() {
  const size_t sum_bytes = sum_.size() * sizeof(float);
  const size_t own = static_cast<size_t>(plan_.rank);
  for (size_t b = 0; b < buckets_.size(); ++b) {
    const BucketPlan& plan = plan_.buckets[b];
    Bucket& bucket = buckets_[b];
    TransferPlan all_to_all{send_.data(), send_.size(), {}, receive_.data(), receive_.size(), {}};
    TransferPlan gather{sum_.data(), sum_bytes, {}, sum_.data(), sum_bytes, {}};
    const Slice slice = plan.slices[own];
    for (int peer = 0; peer < plan_.ranks; ++peer) {
      const size_t p = static_cast<size_t>(peer);
      const MessageLayout& layout = peer == plan_.rank ? plan.sends[p] : plan.receives[p];
      const char* floats = MessageOf(plan, peer) + layout.floats_bytes;
      for (size_t node = 0; node < plan_.nodes[p].size(); ++node) {
        bucket.parts.push_back(reinterpret_cast<const float*>(floats) + node * slice.count);
      }
      if (peer == plan_.rank) continue;
      all_to_all.sends.push_back({peer, plan.sends[p].offset_bytes, plan.sends[p].size_bytes});
      all_to_all.receives.push_back(
          {peer, plan.receives[p].offset_bytes, plan.receives[p].size_bytes});
      gather.sends.push_back({peer, slice.first * sizeof(float), slice.count * sizeof(float)});
      gather.receives.push_back(
          {peer, plan.slices[p].first * sizeof(float), plan.slices[p].count * sizeof(float)});
    }
    BATON_ASSIGN_OR_RETURN(bucket.exchange, group_.Prepare(all_to_all));
    BATON_ASSIGN_OR_RETURN(bucket.gather, group_.Prepare(gather));
  }
  return absl::OkStatus();
}

// For the next step.
void GradientExchange::Renew() {
  std::fill(reached_.begin(), reached_.end(), size_t{0});
  for (Bucket& bucket : buckets_) bucket.shards_left = plan_.run.count;
}

const char* GradientExchange::MessageOf(const BucketPlan& bucket, int rank) const {
  const size_t r = static_cast<size_t>(rank);
  if (rank == plan_.rank) return send_.data() + bucket.sends[r].offset_bytes;
  return receive_.data() + bucket.receives[r].offset_bytes;
}

void GradientExchange::Ready(int i, size_t from) {
  if (plan_.ranks == 1) return;
  size_t& next = reached_[static_cast<size_t>(i)];
  // The last bucket waits for Run, which knows what its header says.
  for (; next + 1 < buckets_.size() && plan_.buckets[next].range.first >= from; ++next) {
    Bucket& bucket = buckets_[next];
    // Each shard's writes are to be seen by the thread that comes last.
    if (bucket.shards_left.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
    ReduceOwn(next, nullptr);
    bucket.exchange->Start();
  }
}

absl::StatusOr<GradientExchange::Sum> GradientExchange::Run(const Step& step,
                                                            std::chrono::milliseconds timeout) {
  const size_t row_bytes = has_tables_ ? rows_.Reduce() : 0;
  if (plan_.ranks == 1) {
    heard_.results = own_results_;
    const float* gradient = gradients_[0].data();
    if (plan_.shards > 1) {
      AddOnPool(&pool_, own_sums_[0], leaves_.data(), 0, sum_.size(), sum_.data());
      gradient = sum_.data();
    }
    if (has_tables_) BATON_RETURN_IF_ERROR(rows_.Run(heard_.row_bytes, timeout));
    return Sum{{gradient, gradients_[0].size()}, rows_.sums(), heard_.results, step.flags};
  }
  StartRest(step, row_bytes);
  BATON_RETURN_IF_ERROR(SumBuckets(step, timeout));
  // Whoever is silent here may itself wait for a rank that is silent to it alone, and says so after
  // `timeout`: that rank is the one to blame.
  if (has_tables_) BATON_RETURN_IF_ERROR(rows_.Run(heard_.row_bytes, 2 * timeout));
  for (Bucket& bucket : buckets_) BATON_RETURN_IF_ERROR(bucket.gather->Finish(3 * timeout));
  Renew();
  return Sum{sum_, rows_.sums(), heard_.results, heard_.flags};
}

// Writes a bucket's messages to all ranks, the own one too: it holds this rank's part of its own
// slice.
void GradientExchange::ReduceOwn(size_t bucket, ShardPool* pool) {
  const BucketPlan& plan = plan_.buckets[bucket];
  const std::vector<ShardRange>& nodes = plan_.nodes[static_cast<size_t>(plan_.rank)];
  for (size_t peer = 0; peer < plan.sends.size(); ++peer) {
    char* message = send_.data() + plan.sends[peer].offset_bytes;
    float* floats = reinterpret_cast<float*>(message + plan.sends[peer].floats_bytes);
    const Slice slice = plan.slices[peer];
    for (size_t node = 0; node < nodes.size(); ++node) {
      AddOnPool(pool, own_sums_[node], leaves_.data() + (nodes[node].first - plan_.run.first),
                slice.first, slice.count, floats + node * slice.count);
    }
  }
}

// Sends what Ready did not, and with the last bucket the headers.
void GradientExchange::StartRest(const Step& step, size_t row_bytes) {
  for (const MessageLayout& layout : plan_.buckets.back().sends) {
    WriteHeader(step, own_results_, row_bytes, send_.data() + layout.offset_bytes);
  }
  for (size_t b = 0; b < buckets_.size(); ++b) {
    if (buckets_[b].shards_left == 0) continue;
    ReduceOwn(b, &pool_);
    buckets_[b].exchange->Start();
  }
}

// Adds the own slice of each bucket as the peers' parts of it arrive, and starts to hand it out.
absl::Status GradientExchange::SumBuckets(const Step& step, std::chrono::milliseconds timeout) {
  for (size_t b = 0; b < buckets_.size(); ++b) {
    Bucket& bucket = buckets_[b];
    BATON_RETURN_IF_ERROR(bucket.exchange->Finish(timeout));
    if (b + 1 == buckets_.size()) {
      const BucketPlan& last = plan_.buckets.back();
      BATON_RETURN_IF_ERROR(ReadHeaders(
          plan_, step.step, [&](int rank) { return MessageOf(last, rank); }, &heard_));
    }
    const Slice slice = plan_.buckets[b].slices[static_cast<size_t>(plan_.rank)];
    AddOnPool(&pool_, all_, bucket.parts.data(), 0, slice.count, sum_.data() + slice.first);
    bucket.gather->Start();
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
