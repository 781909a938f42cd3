// The part of a step's exchange that sparse tables have: every rank adds the rows of its own shards
// up to the tree nodes that it owns, sends those to all, and adds the nodes of all in tree order.
// A rank needs all rows, since it updates all tables, so nothing is cut into slices.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/comm/group.h"
#include "trainer/parallel/row_sum.h"
#include "trainer/parallel/shard_plan.h"
#include "trainer/parallel/shard_pool.h"

namespace baton::trainer {

struct RowTable {
  int64_t rows = 0;
  size_t width = 0;
};

// Thread-compatible. Group, pool and plan must outlive it.
class RowExchange {
 public:
  RowExchange(Group& group, ShardPool& pool, const ExchangePlan& plan,
              std::vector<RowTable> tables);

  // Where the rows of this rank's i-th shard go, one for each table.
  absl::Span<RowGradient> shard_rows(int i);

  // Adds the own shards up; the bytes that every other rank is to be sent.
  size_t Reduce();
  // `message_bytes`: what Reduce gave on each rank. The sums of all shards, one for each table,
  // valid until the next Reduce. Codes as Transfer::Run; INTERNAL for rows that make no sense.
  absl::Status Run(const std::vector<size_t>& message_bytes, std::chrono::milliseconds timeout);
  absl::Span<const RowGradient* const> sums() const { return sums_; }

 private:
  void Encode();
  absl::Status Decode(int rank, const char* begin, size_t bytes);
  void SumAll();

  Group& group_;
  ShardPool& pool_;
  const ExchangePlan& plan_;
  const std::vector<RowTable> tables_;
  std::vector<TreeSum> own_trees_;                // per own node
  TreeSum all_tree_;                              // over the nodes of all ranks
  std::vector<size_t> first_node_;                // per rank: index of its first node among all
  std::vector<std::vector<RowGradient>> shards_;  // [own shard][table]
  std::vector<std::vector<RowGradient>> nodes_;   // [table][node of all ranks]
  std::vector<RowSum> adders_;                    // per table
  std::vector<RowGradient> totals_;               // per table
  std::vector<const RowGradient*> sums_;
  std::vector<char> send_, receive_;
};

}  // namespace baton::trainer
