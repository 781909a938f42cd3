// Who runs which logical shards, and which bytes go where in one step. Everything here is a pure
// function of (shards, ranks, rank, parameters), so every rank knows the plan of all.
//
// The gradient is cut into buckets, from behind, as a backward pass finishes it. Each of them moves
// two rounds of messages (trainer/DESIGN.md, "One step on the wire"):
//   exchange   rank r -> rank p: for each tree node that r owns the part of its sum that lies in
//              p's slice of the bucket; before it, in the last bucket, a header and r's shard
//              results;
//   gather     rank r -> all: the summed gradient of its own slice, straight into place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trainer/parallel/tree_sum.h"

namespace baton::trainer {

// Balanced contiguous runs: sizes differ by at most one. 1 <= ranks <= shards.
ShardRange RunOf(int shards, int ranks, int rank);

// Floats [first, first + count) of the parameter vector. Slices begin at multiples of 16 floats
// (a cache line) and may be empty when there are few parameters.
struct Slice {
  size_t first = 0;
  size_t count = 0;
};
Slice SliceOf(size_t parameters, int ranks, int rank);

// Precedes each message of the last bucket.
struct StepHeader {
  uint64_t weights_digest = 0;  // XXH3 of the sender's weights before this step's update
  int64_t step = 0;             // the step that is being done, from 0
  uint32_t flags = 0;           // kFlag...
  uint32_t shard_count = 0;     // shard results that follow
  uint64_t row_bytes = 0;       // of the message of sparse tables' rows, which comes later
};
inline constexpr uint32_t kFlagLeave = 1;  // the sender wants all to leave after this step
inline constexpr uint32_t kFlagSave = 2;   // the sender wants its state to be saved

// What one shard reports of one step.
struct ShardResult {
  double loss_sum = 0;  // over its samples
  int64_t correct = 0;  // samples
};

// Where one message of the exchange lies within its buffer.
struct MessageLayout {
  size_t offset_bytes = 0;  // a multiple of 64
  size_t floats_bytes = 0;  // of the first node's floats, from the message's begin
  size_t size_bytes = 0;    // header, results and floats
};

struct BucketPlan {
  Slice range;                          // of the parameters
  std::vector<Slice> slices;            // per rank: tile the range
  std::vector<MessageLayout> sends;     // per peer, this rank too (that one is not sent)
  std::vector<MessageLayout> receives;  // per peer; empty for this rank
};

// Large enough that a message's own cost is small beside that of its bytes.
inline constexpr size_t kBucketBytes = size_t{1} << 20;

// The layout of all rounds as one rank sees them.
struct ExchangePlan {
  // Buckets have `bucket_bytes` or less than twice as much; there is always one.
  ExchangePlan(int shards, int ranks, int rank, size_t parameters,
               size_t bucket_bytes = kBucketBytes);

  int shards;
  int ranks;
  int rank;
  ShardRange run;                              // of this rank
  std::vector<std::vector<ShardRange>> nodes;  // per rank: the nodes that it owns, left to right
  std::vector<BucketPlan> buckets;             // from behind; the last one's messages have headers
  size_t send_bytes;                           // of the whole buffer, which holds all messages
  size_t receive_bytes;
};

// The single shards of a node, and the nodes of all ranks, left to right: what a sum adds up.
std::vector<ShardRange> Leaves(ShardRange node);
std::vector<ShardRange> AllNodes(const ExchangePlan& plan);

}  // namespace baton::trainer
