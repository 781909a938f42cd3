#include "trainer/out_of_memory.h"

#include "common/spec/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(OutOfMemoryTest, SaysWhichBatchFitsOnACard) {
  const spec::NativeSpec native =
      *spec::ParseText(
           "epochs: 1\nbatch_size: 1048576\nshards: 4\noptimizer: {name: sgd, lr: 0.1}\n"
           "data: {format: csv, train: t.csv, target: y}\nmodel: {input: [1000], loss: "
           "mean_squared_error, layers: [dense: 999, dense: 1]}\n",
           "s.yaml")
           ->native;
  const spec::RankShape shape{.ranks = 1, .threads = 2, .data_bytes = 0};
  const spec::MemoryEstimate estimate = *spec::EstimateMemory(native, shape);
  const auto advice = [&](int64_t bytes) {
    return CardMemoryAdvice(native, shape, estimate, bytes);
  };
  const int64_t batch = spec::BatchThatFitsCard(native, shape, int64_t{4} << 30);
  EXPECT_THAT(advice(int64_t{4} << 30), HasSubstr("which had 4096 MiB free when it began"));
  EXPECT_THAT(advice(int64_t{4} << 30),
              EndsWith("; batch_size: " + std::to_string(batch) + " would fit on it"));
  EXPECT_THAT(advice(1 << 20), HasSubstr("no batch_size would fit on it: use fewer --threads"));
  EXPECT_THAT(advice(int64_t{1} << 50), HasSubstr("the estimate fits"));
}

}  // namespace
}  // namespace baton::trainer
