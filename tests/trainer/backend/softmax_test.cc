#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "common/random.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

struct Computed {
  LossResult result;
  std::vector<float> gradient;
};

Computed Compute(Backend& backend, const std::vector<float>& logits,
                 const std::vector<int32_t>& labels, float scale) {
  const auto count = static_cast<int64_t>(labels.size());
  const auto classes = static_cast<int64_t>(logits.size()) / count;
  auto stream = backend.CreateStream(Memory::kHost);
  EXPECT_TRUE(stream.ok());
  const auto x = (*stream)->CreateTensor({classes}, count);
  const auto dx = (*stream)->CreateTensor({classes}, count);
  EXPECT_TRUE((*stream)->Upload(logits.data(), count, x.get()).ok());
  EXPECT_TRUE(
      (*stream)
          ->ComputeLoss({.count = count, .labels = labels.data(), .scale = scale}, *x, dx.get())
          .ok());
  auto result = (*stream)->ReadLoss();
  EXPECT_TRUE(result.ok()) << result.status();
  Computed loss{*result, std::vector<float>(logits.size())};
  EXPECT_TRUE((*stream)->Download(*dx, count, loss.gradient.data()).ok());
  return loss;
}

class SoftmaxTest : public ::testing::TestWithParam<std::unique_ptr<Backend> (*)()> {
 protected:
  std::unique_ptr<Backend> backend_ = GetParam()();
};
INSTANTIATE_TEST_SUITE_P(Backends, SoftmaxTest,
                         ::testing::Values(&CreateCpuBackend, &CreateReferenceBackend),
                         [](const auto& test) { return test.param()->name(); });

TEST_P(SoftmaxTest, KnownNumbers) {
  // Equal logits of two classes: loss log 2; of (0, log 3): probabilities 1/4 and 3/4.
  const Computed loss = Compute(*backend_, {0, 0, 0, 1.0986123f}, {0, 0}, 0.5f);
  EXPECT_NEAR(loss.result.loss_sum, std::log(2.0) + std::log(4.0), 1e-7);
  EXPECT_EQ(loss.result.correct, 1);  // the tie goes to the lowest class
  EXPECT_FLOAT_EQ(loss.gradient[0], -0.25f);
  EXPECT_FLOAT_EQ(loss.gradient[1], 0.25f);
  EXPECT_FLOAT_EQ(loss.gradient[2], 0.5f * (0.25f - 1));
  EXPECT_FLOAT_EQ(loss.gradient[3], 0.5f * 0.75f);
}

TEST_P(SoftmaxTest, LargeLogitsNeitherOverflowNorVanish) {
  const Computed loss = Compute(*backend_, {1e30f, -1e30f, 3e4f, 3e4f}, {0, 1}, 1);
  EXPECT_NEAR(loss.result.loss_sum, std::log(2.0), 1e-12);
  for (float value : loss.gradient) EXPECT_TRUE(std::isfinite(value));
}

TEST(SoftmaxBackendsTest, AgreeOnRandomLogits) {
  Random random(3);
  const auto cpu = CreateCpuBackend(), reference = CreateReferenceBackend();
  for (int64_t classes : {1, 2, 10, 257}) {
    std::vector<float> logits(7 * classes);
    std::vector<int32_t> labels(7);
    for (float& value : logits) value = static_cast<float>(random.Between(-9000, 9000)) * 1e-3f;
    for (int32_t& label : labels) label = static_cast<int32_t>(random.Below(classes));
    const Computed got = Compute(*cpu, logits, labels, 0.125f);
    const Computed want = Compute(*reference, logits, labels, 0.125f);
    EXPECT_NEAR(got.result.loss_sum, want.result.loss_sum, 1e-12 * (1 + want.result.loss_sum));
    EXPECT_EQ(got.result.correct, want.result.correct);
    for (size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(got.gradient[i], want.gradient[i], 1e-8) << i;
    }
  }
}

}  // namespace
}  // namespace baton::trainer
