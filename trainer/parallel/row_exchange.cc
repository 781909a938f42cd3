#include "trainer/parallel/row_exchange.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

template <class T>
void Append(const T* values, size_t count, std::vector<char>* out) {
  const char* bytes = reinterpret_cast<const char*>(values);
  out->insert(out->end(), bytes, bytes + count * sizeof(T));
}

// Takes `count` values off the front; false when there are fewer.
template <class T>
bool Take(const char** at, const char* end, size_t count, std::vector<T>* values) {
  if (count > static_cast<size_t>(end - *at) / sizeof(T)) return false;
  values->resize(count);
  if (count > 0) std::memcpy(values->data(), *at, count * sizeof(T));
  *at += count * sizeof(T);
  return true;
}

bool Rising(const std::vector<int32_t>& ids, int64_t rows) {
  int64_t before = -1;
  for (const int32_t id : ids) {
    if (id <= before || id >= rows) return false;
    before = id;
  }
  return true;
}

}  // namespace

RowExchange::RowExchange(Group& group, ShardPool& pool, const ExchangePlan& plan,
                         std::vector<RowTable> tables)
    : group_(group),
      pool_(pool),
      plan_(plan),
      tables_(std::move(tables)),
      all_tree_({0, plan.shards}, AllNodes(plan)),
      shards_(static_cast<size_t>(plan.run.count), std::vector<RowGradient>(tables_.size())),
      nodes_(tables_.size(), std::vector<RowGradient>(AllNodes(plan).size())),
      adders_(tables_.size()),
      totals_(tables_.size()),
      sums_(tables_.size()) {
  for (const ShardRange& node : plan_.nodes[static_cast<size_t>(plan_.rank)]) {
    own_trees_.emplace_back(node, Leaves(node));
  }
  size_t first = 0;
  for (const auto& nodes : plan_.nodes) {
    first_node_.push_back(first);
    first += nodes.size();
  }
}

absl::Span<RowGradient> RowExchange::shard_rows(int i) {
  return absl::MakeSpan(shards_[static_cast<size_t>(i)]);
}

size_t RowExchange::Reduce() {
  if (plan_.shards == 1) return 0;
  const auto rank = static_cast<size_t>(plan_.rank);
  pool_.ForEach(static_cast<int>(tables_.size()), [&](int task, int) {
    const auto table = static_cast<size_t>(task);
    std::vector<const RowGradient*> leaves;
    for (size_t node = 0; node < own_trees_.size(); ++node) {
      const ShardRange range = plan_.nodes[rank][node];
      leaves.clear();
      for (int shard = range.first; shard < range.end(); ++shard) {
        leaves.push_back(&shards_[static_cast<size_t>(shard - plan_.run.first)][table]);
      }
      adders_[table].Add(own_trees_[node], leaves, tables_[table].width,
                         &nodes_[table][first_node_[rank] + node]);
    }
  });
  send_.clear();
  if (plan_.ranks > 1) Encode();
  return send_.size();
}

// For each own node and each table: the number of rows, their ids, their values.
void RowExchange::Encode() {
  const size_t first = first_node_[static_cast<size_t>(plan_.rank)];
  for (size_t node = 0; node < own_trees_.size(); ++node) {
    for (const std::vector<RowGradient>& table : nodes_) {
      const RowGradient& rows = table[first + node];
      const auto count = static_cast<uint32_t>(rows.ids.size());
      Append(&count, 1, &send_);
      Append(rows.ids.data(), rows.ids.size(), &send_);
      Append(rows.values.data(), rows.values.size(), &send_);
    }
  }
}

absl::Status RowExchange::Decode(int rank, const char* begin, size_t bytes) {
  const auto r = static_cast<size_t>(rank);
  const char* at = begin;
  const char* end = begin + bytes;
  bool good = true;
  for (size_t node = 0; node < plan_.nodes[r].size() && good; ++node) {
    for (size_t table = 0; table < tables_.size() && good; ++table) {
      RowGradient& rows = nodes_[table][first_node_[r] + node];
      std::vector<uint32_t> count;
      good = Take(&at, end, 1, &count) && Take(&at, end, count[0], &rows.ids) &&
             Take(&at, end, count[0] * tables_[table].width, &rows.values) &&
             Rising(rows.ids, tables_[table].rows);
    }
  }
  if (good && at == end) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("rank ", rank,
                   " sent rows of tables that make no sense; resume from the last "
                   "checkpoint"));
}

absl::Status RowExchange::Run(const std::vector<size_t>& message_bytes,
                              std::chrono::milliseconds timeout) {
  if (plan_.shards == 1) {
    for (size_t table = 0; table < tables_.size(); ++table) sums_[table] = &shards_[0][table];
    return absl::OkStatus();
  }
  if (plan_.ranks > 1) {
    TransferPlan transfer{send_.data(), send_.size(), {}, nullptr, 0, {}};
    for (int peer = 0; peer < plan_.ranks; ++peer) {
      if (peer == plan_.rank) continue;
      const size_t bytes = message_bytes[static_cast<size_t>(peer)];
      transfer.sends.push_back({peer, 0, send_.size()});
      transfer.receives.push_back({peer, transfer.receive_bytes, bytes});
      transfer.receive_bytes += bytes;
    }
    receive_.resize(transfer.receive_bytes);
    transfer.receive = receive_.data();
    BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Transfer> run, group_.Prepare(transfer));
    BATON_RETURN_IF_ERROR(run->Run(timeout));
    for (const Message& message : transfer.receives) {
      BATON_RETURN_IF_ERROR(
          Decode(message.peer, receive_.data() + message.offset_bytes, message.size_bytes));
    }
  }
  SumAll();
  return absl::OkStatus();
}

void RowExchange::SumAll() {
  pool_.ForEach(static_cast<int>(tables_.size()), [&](int task, int) {
    const auto table = static_cast<size_t>(task);
    if (nodes_[table].size() == 1) {
      sums_[table] = nodes_[table].data();
      return;
    }
    std::vector<const RowGradient*> inputs;
    for (const RowGradient& node : nodes_[table]) inputs.push_back(&node);
    adders_[table].Add(all_tree_, inputs, tables_[table].width, &totals_[table]);
    sums_[table] = &totals_[table];
  });
}

}  // namespace baton::trainer
