#include "client/train_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::client {
namespace {

using ::testing::ElementsAre;

FlagKind KindOf(const std::string& flag) {
  if (flag == "--follow") return FlagKind::kAlone;
  if (flag == "--gpus" || flag == "--set" || flag == "-o") return FlagKind::kTakesAWord;
  return FlagKind::kUnknown;
}

TrainWords Split(const std::vector<std::string>& words) { return SplitTrainWords(words, KindOf); }

TEST(TrainWords, AScriptsWordsBeginWithTheFirstThatIsNoFlagOfBaton) {
  const TrainWords split = Split({"--gpus", "1", "train.py", "--follow", "--lr", "0.1", "--gpus"});
  EXPECT_THAT(split.own, ElementsAre("--gpus", "1", "train.py", "--follow"));
  EXPECT_EQ(split.target, "train.py");
  EXPECT_THAT(split.arguments, ElementsAre("--lr", "0.1", "--gpus"));
  EXPECT_THAT(split.doubtful, ElementsAre("--gpus"));
  EXPECT_THAT(Split({"train.py", "data", "-o", "json"}).arguments,
              ElementsAre("data", "-o", "json"));
  EXPECT_THAT(Split({"train.py", "-ojson", "--set=a=1", "x"}).arguments, ElementsAre("x"));
}

TEST(TrainWords, BehindDashesAllIsTheScripts) {
  const TrainWords script = Split({"train.py", "--", "--follow"});
  EXPECT_THAT(script.arguments, ElementsAre("--follow"));
  EXPECT_THAT(script.doubtful, ElementsAre());
  EXPECT_THAT(Split({"train.py", "a", "--", "b"}).arguments, ElementsAre("a", "--", "b"));
  const TrainWords command = Split({"--gpus", "1", "--", "python", "--follow", "--", "x"});
  EXPECT_EQ(command.target, "");
  EXPECT_THAT(command.own, ElementsAre("--gpus", "1"));
  EXPECT_THAT(command.command, ElementsAre("python", "--follow", "--", "x"));
}

TEST(TrainWords, BehindASpecAllIsBatons) {
  const TrainWords spec = Split({"job.yaml", "--follow", "--lr", "--gpus", "2", "x"});
  EXPECT_THAT(spec.own, ElementsAre("job.yaml", "--follow", "--lr", "--gpus", "2", "x"));
  EXPECT_THAT(spec.arguments, ElementsAre());
  EXPECT_THAT(Split({"--nonsense", "train.py"}).own, ElementsAre("--nonsense", "train.py"));
  EXPECT_THAT(Split({}).own, ElementsAre());
}

}  // namespace
}  // namespace baton::client
