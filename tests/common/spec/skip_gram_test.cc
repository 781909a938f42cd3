// `data: {format: skip_gram}`: what its text may say, and what is said of its files.
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/atomic_file.h"
#include "common/spec/files.h"
#include "common/spec/write.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

using testing::HasSubstr;

constexpr char kLayers[] =
    "  layers:\n"
    "    - {name: v, inputs: [word], embedding: {vocabulary: 3, width: 2, sparse: true}}\n"
    "    - {name: c, inputs: [context], embedding: {vocabulary: 3, width: 2, sparse: true}}\n"
    "    - {inputs: [v, c], dot: {}}\n";

// `data` is line 4, the model's inputs line 6.
std::string Spec(const std::string& data, const std::string& layers = kLayers,
                 const std::string& inputs = "{word: [1], context: [3]}") {
  return absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {", data,
                      "}\nmodel:\n  inputs: ", inputs, "\n  loss: binary_cross_entropy\n", layers);
}

constexpr char kData[] = "format: skip_gram, train: t.txt, negatives: 2, min_count: 1";

class SkipGramTest : public testing::Test {
 protected:
  SkipGramTest() : folder_(testing::TempDir() + "/skip-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    Write("t.txt", "a b a c\n");
  }
  ~SkipGramTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
  }

  // All mistakes of text and files, the folder as D.
  std::string Check(const std::string& text, DataFiles* kept = nullptr) {
    Reading reading = ReadSpecText(text, "s.yaml");
    CheckData([&](const NamedFile& file) { return folder_ + "/" + file.source->uri; }, kept,
              &reading);
    std::string all;
    for (const Mistake& mistake : reading.mistakes.Sorted()) {
      absl::StrAppend(&all, MistakeText(mistake), "\n");
    }
    return absl::StrReplaceAll(all, {{folder_, "D"}});
  }

  std::string folder_;
};

TEST_F(SkipGramTest, FillsInDefaultsAndIsWrittenBack) {
  const std::string text =
      Spec("format: skip_gram, train: t.txt, negatives: 2, window: 4, pairs: {uri: p.csv}");
  ASSERT_EQ(MistakesOf(text), "");
  const JobSpec spec = *ParseText(text, "s.yaml");
  const auto& data = std::get<SkipGramData>(spec.native->data.source);
  EXPECT_EQ(data.min_count, 5);
  EXPECT_EQ(data.subsample, 1e-3);
  EXPECT_EQ(data.pairs_per_word, 5) << "window + 1";
  const std::string written = WriteSpec(spec);
  EXPECT_EQ(WriteSpec(*ParseText(written, "s.yaml")), written);
}

TEST_F(SkipGramTest, MistakesOfTheText) {
  EXPECT_EQ(MistakesOf(Spec("format: skip_gram, train: t.txt, window: 0, subsample: 2, target: y")),
            "s.yaml:4: data.window: must be at least 1, is 0\n"
            "s.yaml:4: data.subsample: must be at most 1, is 2\n"
            "s.yaml:4: data.target: unknown field; known here: classes, format, min_count, "
            "negatives, pairs, pairs_per_word, subsample, train, window");
  EXPECT_THAT(MistakesOf(Spec(kData, kLayers, "{word: [1], item: [3]}")),
              HasSubstr("feeds the inputs context, word but the model has item, word"));
}

TEST_F(SkipGramTest, AGoodTextIsKept) {
  Write("p.csv", "a,b,score\na,b,1\nA,c,2\nb,c,3\nb,nobody,4\n");
  DataFiles files;
  EXPECT_EQ(Check(Spec(absl::StrCat(kData, ", pairs: p.csv")), &files), "");
  EXPECT_THAT(files.text.words, testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(files.text.tokens, testing::ElementsAre(0, 1, 0, 2, -1));
  EXPECT_EQ(files.pairs.size(), 4u);
  EXPECT_EQ(Check(Spec(absl::StrCat(kData, ", pairs: p.csv"))), "") << "nothing is kept";
}

TEST_F(SkipGramTest, TextAndModelBelongTogether) {
  Write("t.txt", "a b a c d\n");
  EXPECT_THAT(Check(Spec(kData)),
              testing::AllOf(
                  HasSubstr("s.yaml:6: model.inputs.word: its embedding has a vocabulary of 3 but "
                            "D/t.txt has 4 words that occur 1 times or more; make it 4, or raise "
                            "min_count"),
                  HasSubstr("model.inputs.context: its embedding has a vocabulary of 3")));
  EXPECT_THAT(
      Check(Spec("format: skip_gram, train: t.txt, negatives: 4, min_count: 1")),
      HasSubstr("s.yaml:6: model.inputs.context: is 3 but skip_gram gives 5 words, one near "
                "and 4 drawn; make it [5]"));
  EXPECT_THAT(
      Check(absl::StrReplaceAll(Spec(kData), {{"binary_cross_entropy", "mean_squared_error"}})),
      HasSubstr("model.loss: skip_gram tells near words from drawn ones"));
}

TEST_F(SkipGramTest, TextsWithoutNeighboursAreRefused) {
  EXPECT_THAT(Check(Spec("format: skip_gram, train: t.txt, negatives: 2")),
              HasSubstr("s.yaml:4: data.train: D/t.txt: 0 words occur 5 times or more, two are "
                        "needed"));
  Write("t.txt", "a\nb\na\n");
  DataFiles files;
  EXPECT_THAT(Check(Spec(kData), &files), HasSubstr("no line has two words that are left"));
  Write("t.txt", "a\n" + std::string(2000, 'b'));
  EXPECT_THAT(Check(Spec(kData)), HasSubstr("data.train: D/t.txt:2: a word is longer than"));
}

TEST_F(SkipGramTest, PairsMustBeKnown) {
  Write("p.csv", "a,b,score\na,b,1\nx,c,2\nb,y,3\n");
  EXPECT_THAT(Check(Spec(absl::StrCat(kData, ", pairs: p.csv"))),
              HasSubstr("data.pairs: D/p.csv: of 3 pairs 1 have both words in the text, 3 are "
                        "needed"));
  Write("p.csv", "a,b,score\na,b\n");
  EXPECT_THAT(Check(Spec(absl::StrCat(kData, ", pairs: p.csv"))),
              HasSubstr("data.pairs: D/p.csv:2: must be a word, a word and a number"));
}

}  // namespace
}  // namespace baton::spec
