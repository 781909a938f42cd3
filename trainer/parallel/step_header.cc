#include "trainer/parallel/step_header.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace baton::trainer {

void WriteHeader(const Exchange::Step& step, absl::Span<const ShardResult> results,
                 size_t row_bytes, char* message) {
  const StepHeader header{step.weights_digest, step.step, step.flags,
                          static_cast<uint32_t>(results.size()), row_bytes};
  std::memcpy(message, &header, sizeof(header));
  std::memcpy(message + sizeof(header), results.data(), results.size() * sizeof(ShardResult));
}

absl::Status ReadHeaders(const ExchangePlan& plan, int64_t step,
                         absl::FunctionRef<const char*(int rank)> message_of, Heard* heard) {
  StepHeader first{};
  std::memcpy(&first, message_of(0), sizeof(first));
  heard->flags = 0;
  heard->results.resize(static_cast<size_t>(plan.shards));
  heard->row_bytes.resize(static_cast<size_t>(plan.ranks));
  size_t next_result = 0;
  for (int rank = 0; rank < plan.ranks; ++rank) {
    StepHeader header{};
    const char* message = message_of(rank);
    std::memcpy(&header, message, sizeof(header));
    if (header.step != step) {
      return absl::InternalError(
          absl::StrCat("rank ", rank, " is at step ", header.step, ", this one at step ", step));
    }
    if (header.weights_digest != first.weights_digest) {
      return absl::DataLossError(absl::StrFormat(
          "before step %d the weights of rank %d differ from those of rank 0 (digests %016x, "
          "%016x): another build, CPU or bad memory on one of them. Nothing of this step was kept; "
          "resume from the last checkpoint, without the node at fault",
          step + 1, rank, header.weights_digest, first.weights_digest));
    }
    heard->flags |= header.flags;
    heard->row_bytes[static_cast<size_t>(rank)] = header.row_bytes;
    const size_t count = static_cast<size_t>(RunOf(plan.shards, plan.ranks, rank).count);
    std::memcpy(&heard->results[next_result], message + sizeof(header),
                count * sizeof(ShardResult));
    next_result += count;
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
