// The plan of memory against a naive count of who is needed when.
#include "trainer/layer/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"
#include "tests/trainer/layer/every_layer.h"

namespace baton::trainer {
namespace {

// Operations that something lives through, by their place in the pass; both included.
struct Life {
  size_t first, last;
};

bool Meet(const Life& a, const Life& b) { return a.first <= b.last && b.first <= a.last; }

void ExpectNoTwoInOnePlace(const std::vector<PlacedShape>& placed, const std::vector<Life>& lives) {
  ASSERT_EQ(placed.size(), lives.size());
  for (size_t a = 0; a < placed.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      EXPECT_FALSE(placed[a].place == placed[b].place && Meet(lives[a], lives[b])) << a << " " << b;
    }
  }
}

int64_t Floats(const std::vector<PlacedShape>& placed) {
  std::map<size_t, int64_t> sizes;
  for (const PlacedShape& one : placed) {
    sizes[one.place] = std::max(sizes[one.place], ElementCount(one.shape));
  }
  int64_t floats = 0;
  for (const auto& [place, size] : sizes) floats += size;
  return floats;
}

// Of a backward pass, whose first step is the loss and whose step k is operation n - k.
std::vector<Life> LivesOfGradients(const Plan& plan, const GradientPlan& gradients) {
  std::vector<Life> lives(gradients.gradients.size(), {~size_t{0}, 0});
  const auto needed = [&](size_t gradient, size_t step) {
    lives[gradient].first = std::min(lives[gradient].first, step);
    lives[gradient].last = std::max(lives[gradient].last, step);
  };
  needed(*gradients.of_value[plan.output], 0);
  for (size_t i = 0; i < plan.operations.size(); ++i) {
    const size_t step = plan.operations.size() - i;
    const auto output = gradients.of_value[plan.operations[i].output];
    if (output) needed(*output, step);
    for (size_t k = 0; k < plan.operations[i].inputs.size(); ++k) {
      const auto share = gradients.of_inputs[i][k];
      const auto whole = gradients.of_value[plan.operations[i].inputs[k]];
      EXPECT_EQ(share.has_value(), output && whole);
      if (!share) continue;
      needed(*share, step);
      needed(*whole, step);
    }
  }
  return lives;
}

TEST(MemoryPlanTest, NoTwoGradientsThatAreNeededTogetherShareAPlace) {
  for (const LayerCase& test : EveryLayer()) {
    SCOPED_TRACE(test.name);
    const Plan plan = *PlanOperations(test.model);
    const GradientPlan gradients = PlanGradients(plan);
    for (size_t value = 0; value < plan.values.size(); ++value) {
      EXPECT_EQ(gradients.of_value[value].has_value(), plan.values[value].needs_gradient);
    }
    ExpectNoTwoInOnePlace(gradients.gradients, LivesOfGradients(plan, gradients));
  }
}

TEST(MemoryPlanTest, NoTwoValuesThatAreNeededTogetherShareAPlace) {
  for (const LayerCase& test : EveryLayer()) {
    SCOPED_TRACE(test.name);
    const spec::Model& model = test.model;
    const Plan plan = *PlanOutputs(model, {model.layers.front().name, model.layers.back().name});
    std::vector<Life> lives(plan.values.size(), {0, 0});
    for (size_t i = 0; i < plan.operations.size(); ++i) {
      for (const size_t input : plan.operations[i].inputs) lives[input].last = i;
      lives[plan.operations[i].output] = {i, i};
    }
    for (size_t i = 0; i < plan.inputs; ++i) lives[i].last = plan.operations.size();
    for (const size_t output : plan.outputs) lives[output].last = plan.operations.size();
    ExpectNoTwoInOnePlace(PlanValues(plan), lives);
  }
}

spec::Model Deep(int blocks) {
  std::string layers = "conv: {out: 8, kernel: 3, padding: 1}";
  for (int i = 0; i < blocks; ++i) layers += ", batch_norm, relu, conv: {out: 8, kernel: 1}";
  const auto spec = spec::ParseText(
      absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {format: npy, "
                   "train: {values: x.npy, target: y.npy}}\nmodel: {input: [3, 8, 8], layers: [",
                   layers, ", global_pool, dense: 2]}\n"),
      "s.yaml");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec->native->model;
}

TEST(MemoryPlanTest, ADeepModelsGradientsTakeNoMoreThanAShallowOnes) {
  const auto floats = [](int blocks) {
    return Floats(PlanGradients(*PlanOperations(Deep(blocks))).gradients);
  };
  EXPECT_EQ(floats(2), 2 * 8 * 8 * 8);
  EXPECT_EQ(floats(50), floats(2));
  const spec::Model deep = Deep(50);
  const Plan plan = *PlanOutputs(deep, {deep.layers.back().name});
  EXPECT_LE(Floats(PlanValues(plan)), 3 * 8 * 8 + 2 * 8 * 8 * 8 + 8);
}

}  // namespace
}  // namespace baton::trainer
