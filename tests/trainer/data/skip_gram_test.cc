#include "trainer/data/skip_gram.h"

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fuzz/table_bytes.h"
#include "trainer/data/word_judge.h"

namespace baton::trainer {
namespace {

text::Text TextOf(const std::string& words) {
  FuzzBytes bytes(reinterpret_cast<const uint8_t*>(words.data()), words.size(), 7);
  return *text::ReadTextFrom("t", bytes, 1, true);
}

spec::SkipGramData Data(int64_t window, int64_t negatives, double subsample = 0) {
  spec::SkipGramData data;
  data.window = window;
  data.negatives = negatives;
  data.subsample = subsample;
  data.pairs_per_word = window + 1;
  return data;
}

RandomStream StreamOf(uint64_t step) {
  return RandomStream::Make(1, RandomPurpose::kSamples, 0, step, 0);
}

std::vector<uint32_t> All(const Dataset& data) {
  std::vector<uint32_t> indices(static_cast<size_t>(data.count()));
  std::iota(indices.begin(), indices.end(), 0u);
  return indices;
}

// With numbers as the words the order of the vocabulary is the order of the numbers.
constexpr char kLine[] = "a b c d e f g h\n";

TEST(SkipGramTest, NearWordsAreDrawnByTheWindowsThatReachThem) {
  const SkipGramDataset data(Data(3, 1), TextOf(kLine), 1, true);
  EXPECT_EQ(data.count(), 8 * 4);
  // The place of 'd', 3: of 12 windows' words, 3 + 3 at distance 1, 2 + 2 at 2, 1 + 1 at 3.
  std::map<int, int> seen;
  constexpr int kDraws = 24000;
  for (uint64_t step = 0; step < kDraws / 8; ++step) {
    Batch batch;
    const RandomStream stream = StreamOf(step);
    data.Fill({12, 13, 14, 15, 12, 13, 14, 15}, &stream, &batch);
    ASSERT_EQ(batch.count, 8);
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(batch.values[i], 3);
      ++seen[static_cast<int>(batch.values[8 + 2 * i]) - 3];
    }
  }
  for (const int distance : {-3, -2, -1, 1, 2, 3}) {
    const double want = kDraws * (4 - std::abs(distance)) / 12.0;
    EXPECT_NEAR(seen[distance], want, 5 * std::sqrt(want)) << distance;
  }
  EXPECT_EQ(seen.size(), 6u);
}

TEST(SkipGramTest, WindowsEndWithTheSentence) {
  const SkipGramDataset data(Data(4, 2), TextOf("a b\nlonely\nc d e\n"), 1, true);
  EXPECT_EQ(data.count(), 5 * 5) << "a sentence of one word has no pairs";
  const std::set<std::pair<int, int>> wanted = {{0, 1}, {1, 0}, {2, 3}, {2, 4},
                                                {3, 2}, {3, 4}, {4, 2}, {4, 3}};
  std::set<std::pair<int, int>> seen;
  for (uint64_t step = 0; step < 50; ++step) {
    Batch batch;
    const RandomStream stream = StreamOf(step);
    data.Fill(All(data), &stream, &batch);
    for (size_t i = 0; i < 25; ++i) {
      seen.insert({static_cast<int>(batch.values[i]), static_cast<int>(batch.values[25 + 3 * i])});
      EXPECT_NE(batch.values[25 + 3 * i], batch.values[25 + 3 * i + 1]) << "never the near one";
      EXPECT_EQ(batch.targets[3 * i], 1);
      EXPECT_EQ(batch.targets[3 * i + 1] + batch.targets[3 * i + 2], 0);
    }
  }
  EXPECT_EQ(seen, wanted);
}

TEST(SkipGramTest, FarWordsAreDrawnByTheThreeQuarterPowerOfTheirCount) {
  std::string words;
  for (int i = 0; i < 81; ++i) words += "x ";
  for (int i = 0; i < 16; ++i) words += "y ";
  words += "z z2\n";
  const SkipGramDataset data(Data(1, 8), TextOf(words), 1, true);
  std::map<int, double> seen;
  double all = 0;
  for (uint64_t step = 0; step < 40; ++step) {
    Batch batch;
    const RandomStream stream = StreamOf(step);
    data.Fill(All(data), &stream, &batch);
    const auto count = static_cast<size_t>(batch.count);
    for (size_t i = 0; i < count; ++i) {
      const float* context = &batch.values[count + 9 * i];
      if (context[0] != 0) continue;  // x is near, so it is not far: of y, z, z2 8 : 1 : 1
      for (int k = 1; k < 9; ++k, ++all) ++seen[static_cast<int>(context[k])];
    }
  }
  EXPECT_EQ(seen.count(0), 0u);
  EXPECT_GT(all, 10000);
  EXPECT_NEAR(seen[1] / all, 0.8, 0.02);
  EXPECT_NEAR(seen[2] / all, 0.1, 0.02);
}

TEST(SkipGramTest, SubsamplingThinsFrequentWordsBySeed) {
  std::string words;
  for (int i = 0; i < 4000; ++i) words += i % 4 == 0 ? "rare" + std::to_string(i) + " " : "the ";
  const text::Text text = TextOf(words);
  const auto data = Data(2, 1, 0.01);
  const SkipGramDataset thin(data, text, 1, true), again(data, text, 1, true),
      other(data, text, 2, true);
  // 'the' has the share 0.75: it stays with sqrt(0.01 / 0.75) + 0.01 / 0.75 = 0.1288.
  EXPECT_NEAR(static_cast<double>(thin.count()) / 3, 1000 + 3000 * 0.1288, 80);
  EXPECT_EQ(thin.digest(), again.digest());
  EXPECT_NE(thin.digest(), other.digest());
}

TEST(SkipGramTest, BatchesAreAFunctionOfTheirStream) {
  const SkipGramDataset data(Data(3, 4), TextOf(kLine), 1, true);
  const SkipGramDataset swapped(Data(3, 4), TextOf(kLine), 1, false);
  EXPECT_THAT(swapped.sample_sizes(), testing::ElementsAre(5, 1));
  Batch first, second, other, turned;
  const RandomStream stream = StreamOf(1), next = StreamOf(2);
  data.Fill({3, 9}, &stream, &first);
  data.Fill({3, 9}, &stream, &second);
  data.Fill({3, 9}, &next, &other);
  swapped.Fill({3, 9}, &stream, &turned);
  EXPECT_EQ(first.values, second.values);
  EXPECT_NE(first.values, other.values);
  std::vector<float> moved(first.values.begin() + 2, first.values.end());
  moved.insert(moved.end(), first.values.begin(), first.values.begin() + 2);
  EXPECT_EQ(turned.values, moved);
}

TEST(AliasTableTest, DrawsByTheOdds) {
  const std::vector<double> odds = {1, 0, 5, 2, 2};
  const AliasTable table(odds);
  RandomSequence random(RandomStream::Make(3, RandomPurpose::kSamples));
  std::vector<int> seen(odds.size());
  for (int i = 0; i < 50000; ++i) ++seen[table.Draw(random)];
  for (size_t i = 0; i < odds.size(); ++i) EXPECT_NEAR(seen[i], odds[i] * 5000, 350) << i;
  EXPECT_EQ(seen[1], 0);
}

TEST(WordJudgeTest, RanksShareTies) {
  EXPECT_DOUBLE_EQ(RankCorrelation({1, 2, 3, 4}, {10, 20, 30, 99}), 1);
  EXPECT_DOUBLE_EQ(RankCorrelation({1, 2, 3, 4}, {4, 3, 2, 1}), -1);
  // scipy.stats.spearmanr([1, 2, 2, 5, 3], [2, 1, 4, 4, 9])
  EXPECT_NEAR(RankCorrelation({1, 2, 2, 5, 3}, {2, 1, 4, 4, 9}), 0.6052631578947368, 1e-12);
  EXPECT_EQ(RankCorrelation({1, 1, 1}, {1, 2, 3}), 0);
}

TEST(WordJudgeTest, TakesThePairsWhoseWordsAreKnown) {
  const WordJudge judge(
      {{"King", "queen", 3}, {"king", "CAR", 1}, {"queen", "car", 2}, {"king", "nobody", 9}},
      {"king", "queen", "car"});
  EXPECT_EQ(judge.count(), 3);
  // Cosines: king-queen 0.8, king-car 0, queen-car 0.6.
  const float table[] = {1, 0, 0.8f, 0.6f, 0, 2};
  EXPECT_DOUBLE_EQ(judge.Judge(table, 2), 1);
}

}  // namespace
}  // namespace baton::trainer
