#include "trainer/elastic/agreement.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

const Agreement kAlike = {"build-a", "cpu", "spec"};

Standing At(int64_t step, uint64_t state, const Agreement& agreement = kAlike) {
  return StandingOf(agreement, step, state);
}

TEST(AgreementTest, AllAtOneStepGoOn) {
  const auto decision = Decide({At(7, 1), At(7, 1), At(7, 1)}, 1, kAlike, false);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_EQ(decision->step, 7);
  EXPECT_EQ(decision->source, 0);
  EXPECT_TRUE(decision->behind.empty());
}

TEST(AgreementTest, TheHighestFinishedStepIsTakenFromTheLowestRankThatHasIt) {
  const std::vector<Standing> all = {At(7, 1), At(8, 2), At(kNoState, 0), At(8, 2)};
  for (int rank = 0; rank < 4; ++rank) {
    const auto decision = Decide(all, rank, kAlike, false);
    ASSERT_TRUE(decision.ok()) << decision.status();
    EXPECT_EQ(decision->step, 8);
    EXPECT_EQ(decision->source, 1);
    EXPECT_THAT(decision->behind, testing::ElementsAre(0, 2));
  }
}

TEST(AgreementTest, AStateAtStepZeroIsOne) {
  const auto decision = Decide({At(kNoState, 0), At(0, 3)}, 0, kAlike, false);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_EQ(decision->step, 0);
  EXPECT_EQ(decision->source, 1);
  EXPECT_THAT(decision->behind, testing::ElementsAre(0));
}

TEST(AgreementTest, NobodyWithAStateCanGoOn) {
  EXPECT_EQ(Decide({At(kNoState, 0), At(kNoState, 0)}, 0, kAlike, false).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(AgreementTest, OtherWeightsAtTheSameStepAreDrift) {
  const absl::Status status = Decide({At(7, 1), At(7, 2)}, 0, kAlike, false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("rank 1"));
  // Of those behind nobody asks.
  EXPECT_TRUE(Decide({At(7, 1), At(6, 2), At(7, 1)}, 0, kAlike, false).ok());
}

// A joiner of another build must not end the gang that it would have joined.
TEST(AgreementTest, WhoIsUnlikeTheStateLeavesAlone) {
  const std::vector<Agreement> others = {
      {"build-b", "cpu", "spec"}, {"build-a", "cpu2", "spec"}, {"build-a", "cpu", "spec2"}};
  const std::vector<std::string> words = {"build", "instruction set", "spec"};
  for (size_t i = 0; i < others.size(); ++i) {
    const std::vector<Standing> all = {At(kNoState, 0, others[i]), At(7, 1), At(7, 1)};
    const auto decision = Decide(all, 1, kAlike, false);
    ASSERT_TRUE(decision.ok()) << decision.status();
    EXPECT_THAT(decision->unlike, testing::ElementsAre(0));
    const absl::Status joiner = Decide(all, 0, others[i], false).status();
    EXPECT_EQ(joiner.code(), absl::StatusCode::kFailedPrecondition) << joiner;
    EXPECT_THAT(std::string(joiner.message()), testing::HasSubstr(words[i]));
  }
}

TEST(AgreementTest, WhereOneGenerationIsAllEveryDifferenceEndsIt) {
  EXPECT_TRUE(Decide({At(7, 1), At(7, 1)}, 0, kAlike, true).ok());
  for (const Standing& other : {At(6, 1), At(7, 2), At(7, 1, {"build-b", "cpu", "spec"})}) {
    for (int rank = 0; rank < 2; ++rank) {
      EXPECT_EQ(Decide({At(7, 1), other}, rank, kAlike, true).status().code(),
                absl::StatusCode::kFailedPrecondition);
    }
  }
}

}  // namespace
}  // namespace baton::trainer
