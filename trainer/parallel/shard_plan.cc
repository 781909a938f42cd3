#include "trainer/parallel/shard_plan.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace baton::trainer {
namespace {

constexpr size_t kLineBytes = 64;
constexpr size_t kLineFloats = kLineBytes / sizeof(float);

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// The part [part * whole / parts, (part + 1) * whole / parts), without overflow for real sizes.
int64_t Cut(int64_t whole, int parts, int part) { return whole * part / parts; }

size_t HeaderBytes(int results) {
  return RoundUp(sizeof(StepHeader) + static_cast<size_t>(results) * sizeof(ShardResult),
                 kLineBytes);
}

// Appends a message to a buffer that is `*buffer_bytes` long.
MessageLayout Append(size_t header_bytes, size_t nodes, size_t slice_floats, size_t* buffer_bytes) {
  MessageLayout message;
  message.offset_bytes = *buffer_bytes;
  message.floats_bytes = header_bytes;
  message.size_bytes = message.floats_bytes + nodes * slice_floats * sizeof(float);
  *buffer_bytes = RoundUp(message.offset_bytes + message.size_bytes, kLineBytes);
  return message;
}

}  // namespace

ShardRange RunOf(int shards, int ranks, int rank) {
  BATON_CHECK(ranks >= 1 && ranks <= shards && rank >= 0 && rank < ranks, "no such rank");
  const int first = static_cast<int>(Cut(shards, ranks, rank));
  return {first, static_cast<int>(Cut(shards, ranks, rank + 1)) - first};
}

Slice SliceOf(size_t parameters, int ranks, int rank) {
  const int64_t lines = static_cast<int64_t>(RoundUp(parameters, kLineFloats) / kLineFloats);
  const size_t first =
      std::min(parameters, static_cast<size_t>(Cut(lines, ranks, rank)) * kLineFloats);
  const size_t end =
      std::min(parameters, static_cast<size_t>(Cut(lines, ranks, rank + 1)) * kLineFloats);
  return {first, end - first};
}

ExchangePlan::ExchangePlan(int shard_total, int rank_total, int own_rank, size_t parameters,
                           size_t bucket_bytes)
    : shards(shard_total),
      ranks(rank_total),
      rank(own_rank),
      run(RunOf(shard_total, rank_total, own_rank)),
      send_bytes(0),
      receive_bytes(0) {
  for (int peer = 0; peer < ranks; ++peer) {
    nodes.push_back(OwnedNodes(shards, RunOf(shards, ranks, peer)));
  }
  const size_t own = static_cast<size_t>(rank);
  const int count =
      static_cast<int>(std::max<size_t>(1, parameters * sizeof(float) / bucket_bytes));
  for (int place = count; place-- > 0;) {
    BucketPlan bucket;
    bucket.range = SliceOf(parameters, count, place);
    for (int peer = 0; peer < ranks; ++peer) {
      const Slice slice = SliceOf(bucket.range.count, ranks, peer);
      bucket.slices.push_back({bucket.range.first + slice.first, slice.count});
    }
    const bool last = place == 0;
    for (int peer = 0; peer < ranks; ++peer) {
      const size_t p = static_cast<size_t>(peer);
      bucket.sends.push_back(Append(last ? HeaderBytes(run.count) : 0, nodes[own].size(),
                                    bucket.slices[p].count, &send_bytes));
      const size_t header_bytes = last ? HeaderBytes(RunOf(shards, ranks, peer).count) : 0;
      bucket.receives.push_back(peer == rank ? MessageLayout{}
                                             : Append(header_bytes, nodes[p].size(),
                                                      bucket.slices[own].count, &receive_bytes));
    }
    buckets.push_back(std::move(bucket));
  }
}

std::vector<ShardRange> Leaves(ShardRange node) {
  std::vector<ShardRange> leaves;
  for (int shard = node.first; shard < node.end(); ++shard) leaves.push_back({shard, 1});
  return leaves;
}

std::vector<ShardRange> AllNodes(const ExchangePlan& plan) {
  std::vector<ShardRange> all;
  for (const auto& nodes : plan.nodes) all.insert(all.end(), nodes.begin(), nodes.end());
  return all;
}

}  // namespace baton::trainer
