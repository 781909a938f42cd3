#include "trainer/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "trainer/numeric/power.h"

namespace baton::trainer {
namespace {

using Kind = spec::Optimizer::Kind;

// Three updates of three weights in PyTorch 1.13 (torch.optim, CPU), printed with nine digits.
struct Case {
  const char* name;
  spec::Optimizer options;
  float want[9];
};

spec::Optimizer Options(Kind kind, double lr, double momentum, bool nesterov, double decay) {
  spec::Optimizer options;
  options.kind = kind;
  options.lr = lr;
  options.momentum = momentum;
  options.nesterov = nesterov;
  options.weight_decay = decay;
  return options;
}

spec::Optimizer AdamWith(double beta1, double beta2, double epsilon, double decay) {
  spec::Optimizer options = Options(Kind::kAdam, 0.01, 0, false, decay);
  options.beta1 = beta1;
  options.beta2 = beta2;
  options.epsilon = epsilon;
  return options;
}

spec::Optimizer Other(Kind kind, double lr, double decay) {
  return Options(kind, lr, 0, false, decay);
}

spec::Optimizer RmsPropWith(double alpha, double epsilon, double momentum) {
  spec::Optimizer options = Options(Kind::kRmsProp, 0.05, momentum, false, 0.01);
  options.alpha = alpha;
  options.epsilon = epsilon;
  return options;
}

spec::Optimizer Clipped() {
  spec::Optimizer options = Options(Kind::kSgd, 0.1, 0.9, false, 0);
  options.clip_norm = 0.25;
  return options;
}

class PyTorchTest : public ::testing::TestWithParam<Case> {};

TEST_P(PyTorchTest, GivesTheSameWeights) {
  const spec::Optimizer& options = GetParam().options;
  const auto optimizer = Optimizer::Create(options, 3);
  std::vector<float> weights = {1, -2, 0.5f};
  const float gradients[3][3] = {{0.3f, -0.1f, 0}, {-0.2f, 0.4f, 1e-3f}, {0.05f, 0.05f, -5}};
  for (int step = 1; step <= 3; ++step) {
    optimizer->Apply(absl::MakeSpan(weights), gradients[step - 1], step, options.lr);
    for (int i = 0; i < 3; ++i) {
      const float want = GetParam().want[3 * (step - 1) + i];
      EXPECT_NEAR(weights[i], want, 3e-7 * std::fabs(want)) << "step " << step << " weight " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, PyTorchTest,
    ::testing::Values(Case{"sgd",
                           Options(Kind::kSgd, 0.1, 0, false, 0),
                           {0.969999969f, -1.99000001f, 0.5f, 0.98999995f, -2.02999997f,
                            0.499900013f, 0.984999955f, -2.03500009f, 0.999900043f}},
                      Case{"sgd_weight_decay",
                           Options(Kind::kSgd, 0.1, 0, false, 0.01),
                           {0.968999982f, -1.98800004f, 0.499500006f, 0.98803097f, -2.02601194f,
                            0.498900503f, 0.982042968f, -2.02898598f, 0.998401582f}},
                      Case{"momentum",
                           Options(Kind::kSgd, 0.1, 0.9, false, 5e-4),
                           {0.96995002f, -1.98989999f, 0.499974996f, 0.962856531f, -2.02071047f,
                            0.499827504f, 0.951424241f, -2.053339f, 0.99966979f}},
                      Case{"nesterov",
                           Options(Kind::kSgd, 0.1, 0.9, true, 5e-4),
                           {0.942905009f, -1.98081005f, 0.499952495f, 0.95647496f, -2.04844093f,
                            0.499694735f, 0.94113946f, -2.08270311f, 1.44952774f}},
                      Case{"adam",
                           AdamWith(0.9, 0.999, 1e-8, 0),
                           {0.99000001f, -1.99000001f, 0.5f, 0.988554776f, -1.9955951f,
                            0.492558748f, 0.986570001f, -2.00065804f, 0.498945743f}},
                      Case{"adam_weight_decay",
                           AdamWith(0.8, 0.95, 1e-6, 0.1),
                           {0.99000001f, -1.99000001f, 0.490000188f, 0.985781491f, -1.98914731f,
                            0.480000377f, 0.980441928f, -1.98583627f, 0.486820966f}},
                      Case{"adamw",
                           Other(Kind::kAdamW, 0.01, 0.01),
                           {0.989899993f, -1.98979998f, 0.499949992f, 0.988355756f, -1.9951961f,
                            0.492458731f, 0.986272156f, -2.00005937f, 0.498796463f}},
                      Case{"rmsprop",
                           Other(Kind::kRmsProp, 0.01, 0),
                           {0.900000036f, -1.9000001f, 0.5f, 0.955663085f, -1.99704289f,
                            0.40000999f, 0.941812038f, -2.00914478f, 0.500010014f}},
                      Case{"rmsprop_momentum",
                           RmsPropWith(0.9, 1e-6, 0.9),
                           {0.841887712f, -1.84189022f, 0.34198606f, 0.785889506f, -1.85110486f,
                            0.092037648f, 0.70842278f, -1.87253201f, 0.0251977611f}},
                      Case{"clipped",
                           Clipped(),
                           {0.976283014f, -1.99209428f, 0.5f, 0.966117978f, -2.00733972f,
                            0.499944091f, 0.956719458f, -2.02131057f, 0.524891257f}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(OptimizerTest, StateIsNamedAndStartsAtZero) {
  EXPECT_TRUE(Optimizer::Create(Options(Kind::kSgd, 0.1, 0, false, 0), 4)->state().empty());
  const auto sgd = Optimizer::Create(Options(Kind::kSgd, 0.1, 0.9, false, 0), 4);
  ASSERT_EQ(sgd->state().size(), 1u);
  EXPECT_EQ(sgd->state()[0].name, "momentum");
  EXPECT_EQ(sgd->state()[0].values.span(), std::vector<float>(4, 0));
  const auto adam = Optimizer::Create(AdamWith(0.9, 0.999, 1e-8, 0), 4);
  ASSERT_EQ(adam->state().size(), 2u);
  EXPECT_EQ(adam->state()[0].name, "adam_m");
  EXPECT_EQ(adam->state()[1].name, "adam_v");
}

// A resumed run is (weights, state, step) put into a new optimizer.
TEST(OptimizerTest, StateAndStepAreAllThatAResumeNeeds) {
  for (const spec::Optimizer& options :
       {Options(Kind::kSgd, 0.1, 0.9, true, 1e-3), AdamWith(0.9, 0.999, 1e-8, 1e-3)}) {
    const std::vector<float> gradient = {0.25f, -1, 3e-4f, 0, 7};
    std::vector<float> whole(5, 1), resumed(5, 1);
    const auto undisturbed = Optimizer::Create(options, 5);
    auto first = Optimizer::Create(options, 5);
    for (int step = 1; step <= 10; ++step) {
      undisturbed->Apply(absl::MakeSpan(whole), gradient, step, 0.1);
      if (step == 5) {
        auto second = Optimizer::Create(options, 5);
        second->state() = std::move(first->state());
        first = std::move(second);
      }
      first->Apply(absl::MakeSpan(resumed), gradient, step, 0.1);
    }
    EXPECT_EQ(whole, resumed);
  }
}

// Vectors of any length take the vectorized loop and its remainder; each element alone must agree.
TEST(OptimizerTest, AnElementDependsOnItselfAlone) {
  for (const spec::Optimizer& options :
       {Options(Kind::kSgd, 0.1, 0, false, 1e-3), Options(Kind::kSgd, 0.1, 0.9, false, 1e-3),
        Options(Kind::kSgd, 0.1, 0.9, true, 1e-3), AdamWith(0.9, 0.999, 1e-8, 1e-3)}) {
    std::vector<float> weights(37), gradient(37);
    for (int i = 0; i < 37; ++i) {
      weights[i] = static_cast<float>(i) * 0.37f - 5;
      gradient[i] = static_cast<float>(i % 7) * 0.11f - 0.3f;
    }
    std::vector<float> together = weights;
    Optimizer::Create(options, 37)->Apply(absl::MakeSpan(together), gradient, 3, 0.1);
    for (int i = 0; i < 37; ++i) {
      float alone = weights[i];
      Optimizer::Create(options, 1)->Apply({&alone, 1}, {&gradient[i], 1}, 3, 0.1);
      EXPECT_EQ(together[i], alone) << i;
    }
  }
}

TEST(OptimizerDeathTest, RefusesVectorsOfAnotherModel) {
  const auto sgd = Optimizer::Create(Options(Kind::kSgd, 0.1, 0.9, false, 0), 4);
  std::vector<float> weights(4), gradient(3);
  EXPECT_DEATH(sgd->Apply(absl::MakeSpan(weights), gradient, 1, 0.1), "another model");
  gradient.resize(4);
  sgd->state()[0].values = FloatMemory::InMemory(3);
  EXPECT_DEATH(sgd->Apply(absl::MakeSpan(weights), gradient, 1, 0.1), "another model");
}

TEST(PowerTest, IsThatOfLibm) {
  for (int64_t exponent : {0, 1, 2, 3, 10, 1000, 123456}) {
    EXPECT_NEAR(Power(0.999, exponent), std::pow(0.999, static_cast<double>(exponent)), 1e-12);
  }
  EXPECT_EQ(Power(0, 0), 1);
}

TEST(OptimizerTest, SeesWhatIsNotFiniteAnywhereInWhatItTrains) {
  auto optimizer = Optimizer::Create(Options(Kind::kSgd, 0.1, 0, false, 0), 40);
  optimizer->Restrict({{0, 19, 0}});
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const size_t at : {0, 7, 18, 19}) {
      std::vector<float> gradient(20, 3e38f);
      gradient[at] = bad;
      EXPECT_EQ(optimizer->GradientIsFinite(gradient), at == 19) << bad << " at " << at;
      RowGradient rows{{1}, std::vector<float>(20, -3e38f)};
      rows.values[at] = bad;
      const Optimizer::Rows table{20, 20, &rows};
      EXPECT_FALSE(optimizer->GradientIsFinite(std::vector<float>(20), {&table, 1}));
    }
  }
  EXPECT_TRUE(optimizer->GradientIsFinite(std::vector<float>(20, 1e-45f)));
}

}  // namespace
}  // namespace baton::trainer
