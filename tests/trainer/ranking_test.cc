#include "trainer/ranking.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/random.h"

namespace baton::trainer {
namespace {

TEST(AreaUnderCurveTest, IsTheShareOfPairsInOrder) {
  const std::vector<uint8_t> marks = {0, 0, 1, 1};
  EXPECT_EQ(AreaUnderCurve({1, 2, 3, 4}, marks), 1);
  EXPECT_EQ(AreaUnderCurve({3, 4, 1, 2}, marks), 0);
  EXPECT_EQ(AreaUnderCurve({1, 3, 2, 4}, marks), 0.75);
  EXPECT_EQ(AreaUnderCurve({1, 1, 1, 1}, marks), 0.5);
  EXPECT_EQ(AreaUnderCurve({1, 2, 2, 3}, marks), 0.875);
  EXPECT_EQ(AreaUnderCurve({1, 2}, {1, 1}), 0.5);
}

TEST(AreaUnderCurveTest, AgreesWithCountingAllPairs) {
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> scores;
    std::vector<uint8_t> marks;
    for (int i = 0; i < 40; ++i) {
      scores.push_back(static_cast<double>(random.Below(12)));  // many equals
      marks.push_back(static_cast<uint8_t>(random.Below(2)));
    }
    double won = 0, pairs = 0;
    for (size_t a = 0; a < scores.size(); ++a) {
      for (size_t b = 0; b < scores.size(); ++b) {
        if (marks[a] != 1 || marks[b] != 0) continue;
        ++pairs;
        won += scores[a] > scores[b] ? 1 : scores[a] == scores[b] ? 0.5 : 0;
      }
    }
    EXPECT_DOUBLE_EQ(AreaUnderCurve(scores, marks), won / pairs);
  }
}

}  // namespace
}  // namespace baton::trainer
