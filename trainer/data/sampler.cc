#include "trainer/data/sampler.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

absl::StatusOr<Sampler> Sampler::Create(const SamplerOptions& options) {
  if (options.sample_count < 1 || options.sample_count > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("a data set of ", options.sample_count,
                                                   " samples: there must be 1 to 4,294,967,295"));
  }
  if (options.batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch_size is ", options.batch_size, ": it must be at least 1"));
  }
  if (options.shards < 1 || options.shards > options.batch_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "shards is ", options.shards, ": it must be 1 to batch_size (", options.batch_size, ")"));
  }
  return Sampler(options);
}

int64_t Sampler::steps_per_epoch() const {
  // Not (a + b - 1) / b, which overflows for a huge batch_size.
  return (options_.sample_count - 1) / options_.batch_size + 1;
}

int64_t Sampler::micro_batch_max() const {
  const int64_t batch = std::min(options_.batch_size, options_.sample_count);
  return (batch - 1) / options_.shards + 1;
}

int64_t Sampler::batch_count(int64_t step_in_epoch) const {
  BATON_CHECK(step_in_epoch >= 0 && step_in_epoch < steps_per_epoch(), "step beyond the epoch");
  return std::min(options_.batch_size, options_.sample_count - step_in_epoch * options_.batch_size);
}

std::vector<uint32_t> Sampler::Order(int64_t epoch) const {
  std::vector<uint32_t> order(static_cast<size_t>(options_.sample_count));
  std::iota(order.begin(), order.end(), 0u);
  if (!options_.shuffle) return order;
  // Fisher and Yates, as in Knuth, TAOCP vol. 2, algorithm 3.4.2 P.
  RandomSequence random(
      RandomStream::Make(options_.seed, RandomPurpose::kShuffle, static_cast<uint64_t>(epoch)));
  for (size_t i = order.size() - 1; i > 0; --i) {
    std::swap(order[i], order[random.Below(static_cast<uint32_t>(i + 1))]);
  }
  return order;
}

absl::Span<const uint32_t> Sampler::MicroBatch(absl::Span<const uint32_t> order,
                                               int64_t step_in_epoch, int shard) const {
  BATON_CHECK(static_cast<int64_t>(order.size()) == options_.sample_count,
              "the order is another data set's");
  BATON_CHECK(shard >= 0 && shard < options_.shards, "shard beyond the plan");
  const int64_t count = batch_count(step_in_epoch);
  const int64_t begin = shard * count / options_.shards;
  const int64_t end = (shard + 1) * count / options_.shards;
  return order.subspan(static_cast<size_t>(step_in_epoch * options_.batch_size + begin),
                       static_cast<size_t>(end - begin));
}

}  // namespace baton::trainer
