#include "trainer/parallel/gradient_exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

// A share of a sum that is worth handing to another thread.
constexpr size_t kChunkFloats = 1 << 15;

// The sum over `count` floats, cut among the pool's threads; the cuts do not change bits.
void AddOnPool(ShardPool& pool, const TreeSum& tree, const float* const* inputs, size_t first,
               size_t count, float* sum) {
  constexpr size_t kInputsMax = 64;
  const size_t n = tree.input_count();
  const int chunks = static_cast<int>((count + kChunkFloats - 1) / kChunkFloats);
  pool.ForEach(chunks, [&](int chunk, int) {
    const size_t start = static_cast<size_t>(chunk) * kChunkFloats;
    const size_t size = std::min(kChunkFloats, count - start);
    const float* few[kInputsMax];
    std::vector<const float*> many;
    const float** moved = few;
    if (n > kInputsMax) {
      many.resize(n);
      moved = many.data();
    }
    for (size_t i = 0; i < n; ++i) moved[i] = inputs[i] + first + start;
    tree.Add(moved, size, sum + start);
  });
}

}  // namespace

GradientExchange::GradientExchange(Group& group, ShardPool& pool, int shards, size_t parameters,
                                   std::vector<RowTable> tables)
    : group_(group),
      pool_(pool),
      plan_(shards, group.size(), group.rank(), parameters),
      gradients_(static_cast<size_t>(plan_.run.count), std::vector<float>(parameters)),
      own_results_(static_cast<size_t>(plan_.run.count)),
      results_(static_cast<size_t>(shards)),
      sum_(parameters),
      all_({0, shards}, AllNodes(plan_)),
      has_tables_(!tables.empty()),
      rows_(group, pool, plan_, std::move(tables)),
      row_bytes_(static_cast<size_t>(plan_.ranks)) {
  if (plan_.ranks > 1) {
    send_.resize(plan_.send_bytes);
    receive_.resize(plan_.receive_bytes);
  }
  for (const ShardRange& node : plan_.nodes[static_cast<size_t>(plan_.rank)]) {
    own_sums_.emplace_back(node, Leaves(node));
  }
  for (const std::vector<float>& gradient : gradients_) leaves_.push_back(gradient.data());
  const size_t slice = plan_.slices[static_cast<size_t>(plan_.rank)].count;
  for (int rank = 0; plan_.ranks > 1 && rank < plan_.ranks; ++rank) {
    const size_t r = static_cast<size_t>(rank);
    const MessageLayout& layout = rank == plan_.rank ? plan_.sends[r] : plan_.receives[r];
    const float* floats = reinterpret_cast<const float*>(MessageOf(rank) + layout.floats_bytes);
    for (size_t node = 0; node < plan_.nodes[r].size(); ++node) {
      node_parts_.push_back(floats + node * slice);
    }
  }
}

absl::StatusOr<std::unique_ptr<GradientExchange>> GradientExchange::Create(
    Group& group, ShardPool& pool, int shards, size_t parameters, std::vector<RowTable> tables) {
  auto exchange = std::unique_ptr<GradientExchange>(
      new GradientExchange(group, pool, shards, parameters, std::move(tables)));
  if (group.size() > 1) BATON_RETURN_IF_ERROR(exchange->Prepare());
  return exchange;
}

absl::Status GradientExchange::Prepare() {
  TransferPlan all_to_all{send_.data(), send_.size(), {}, receive_.data(), receive_.size(), {}};
  const size_t sum_bytes = sum_.size() * sizeof(float);
  TransferPlan gather{sum_.data(), sum_bytes, {}, sum_.data(), sum_bytes, {}};
  const Slice own = plan_.slices[static_cast<size_t>(plan_.rank)];
  for (int peer = 0; peer < plan_.ranks; ++peer) {
    if (peer == plan_.rank) continue;
    const size_t p = static_cast<size_t>(peer);
    all_to_all.sends.push_back({peer, plan_.sends[p].offset_bytes, plan_.sends[p].size_bytes});
    all_to_all.receives.push_back(
        {peer, plan_.receives[p].offset_bytes, plan_.receives[p].size_bytes});
    gather.sends.push_back({peer, own.first * sizeof(float), own.count * sizeof(float)});
    gather.receives.push_back(
        {peer, plan_.slices[p].first * sizeof(float), plan_.slices[p].count * sizeof(float)});
  }
  BATON_ASSIGN_OR_RETURN(exchange_, group_.Prepare(all_to_all));
  BATON_ASSIGN_OR_RETURN(gather_, group_.Prepare(gather));
  return absl::OkStatus();
}

const char* GradientExchange::MessageOf(int rank) const {
  const size_t r = static_cast<size_t>(rank);
  if (rank == plan_.rank) return send_.data() + plan_.sends[r].offset_bytes;
  return receive_.data() + plan_.receives[r].offset_bytes;
}

absl::StatusOr<GradientExchange::Sum> GradientExchange::Run(const Step& step,
                                                            std::chrono::milliseconds timeout) {
  const size_t row_bytes = has_tables_ ? rows_.Reduce() : 0;
  if (plan_.ranks == 1) {
    results_ = own_results_;
    const float* gradient = gradients_[0].data();
    if (plan_.shards > 1) {
      AddOnPool(pool_, own_sums_[0], leaves_.data(), 0, sum_.size(), sum_.data());
      gradient = sum_.data();
    }
    if (has_tables_) BATON_RETURN_IF_ERROR(rows_.Run(row_bytes_, timeout));
    return Sum{{gradient, sum_.size()}, rows_.sums(), results_, step.flags};
  }
  ReduceOwn(step, row_bytes);
  BATON_RETURN_IF_ERROR(exchange_->Run(timeout));
  BATON_RETURN_IF_ERROR(ReadPeers(step));
  if (has_tables_) BATON_RETURN_IF_ERROR(rows_.Run(row_bytes_, timeout));
  SumSlice();
  BATON_RETURN_IF_ERROR(gather_->Run(timeout));
  return Sum{sum_, rows_.sums(), results_, flags_};
}

// Writes the messages to all ranks, the own one too: it holds this rank's part of its own slice.
void GradientExchange::ReduceOwn(const Step& step, size_t row_bytes) {
  const StepHeader header{step.weights_digest, step.step, step.flags,
                          static_cast<uint32_t>(plan_.run.count), row_bytes};
  const std::vector<ShardRange>& nodes = plan_.nodes[static_cast<size_t>(plan_.rank)];
  for (size_t peer = 0; peer < plan_.sends.size(); ++peer) {
    char* message = send_.data() + plan_.sends[peer].offset_bytes;
    std::memcpy(message, &header, sizeof(header));
    std::memcpy(message + sizeof(header), own_results_.data(),
                own_results_.size() * sizeof(ShardResult));
    float* floats = reinterpret_cast<float*>(message + plan_.sends[peer].floats_bytes);
    const Slice slice = plan_.slices[peer];
    for (size_t node = 0; node < nodes.size(); ++node) {
      AddOnPool(pool_, own_sums_[node], leaves_.data() + (nodes[node].first - plan_.run.first),
                slice.first, slice.count, floats + node * slice.count);
    }
  }
}

absl::Status GradientExchange::ReadPeers(const Step& step) {
  StepHeader first{};
  std::memcpy(&first, MessageOf(0), sizeof(first));
  flags_ = 0;
  size_t next_result = 0;
  for (int rank = 0; rank < plan_.ranks; ++rank) {
    StepHeader header{};
    std::memcpy(&header, MessageOf(rank), sizeof(header));
    if (header.step != step.step) {
      return absl::InternalError(absl::StrCat("rank ", rank, " is at step ", header.step,
                                              ", this one at step ", step.step));
    }
    if (header.weights_digest != first.weights_digest) {
      return absl::DataLossError(absl::StrFormat(
          "before step %d the weights of rank %d differ from those of rank 0 (XXH3 %016x, %016x): "
          "another build, CPU or bad memory on one of them. Nothing of this step was kept; resume "
          "from the last checkpoint, without the node at fault",
          step.step + 1, rank, header.weights_digest, first.weights_digest));
    }
    flags_ |= header.flags;
    row_bytes_[static_cast<size_t>(rank)] = header.row_bytes;
    const size_t count = RunOf(plan_.shards, plan_.ranks, rank).count;
    std::memcpy(&results_[next_result], MessageOf(rank) + sizeof(header),
                count * sizeof(ShardResult));
    next_result += count;
  }
  return absl::OkStatus();
}

void GradientExchange::SumSlice() {
  const Slice slice = plan_.slices[static_cast<size_t>(plan_.rank)];
  AddOnPool(pool_, all_, node_parts_.data(), 0, slice.count, sum_.data() + slice.first);
}

}  // namespace baton::trainer
