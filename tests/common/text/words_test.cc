#include "common/text/words.h"

#include <zlib.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::text {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WordsTest : public testing::Test {
 protected:
  absl::StatusOr<Text> Read(const std::string& text, int64_t min_count, bool keep = true) {
    EXPECT_TRUE(WriteFileAtomically(path_, text).ok());
    return ReadText(path_, min_count, keep);
  }

  const std::string path_ = testing::TempDir() + "/words.txt";
};

TEST_F(WordsTest, MostFrequentFirstAndEqualsByTheirBytes) {
  const auto text = Read("b a  b\tc\n\n a b\r\nd Z\n", 1);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->words, ElementsAre("b", "a", "Z", "c", "d"));
  EXPECT_THAT(text->counts, ElementsAre(3, 2, 1, 1, 1));
  EXPECT_THAT(text->tokens, ElementsAre(0, 1, 0, 3, -1, 1, 0, -1, 4, 2, -1));
  EXPECT_EQ(text->places, 8);
}

TEST_F(WordsTest, RareWordsAreLeftOutAndWithThemEmptySentences) {
  const auto text = Read("x\nb a b\nc\na b\nd", 2);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->words, ElementsAre("b", "a"));
  EXPECT_THAT(text->tokens, ElementsAre(0, 1, 0, -1, 1, 0, -1));
  EXPECT_EQ(text->places, 5);
}

TEST_F(WordsTest, WhatIsNotKeptIsCountedAllTheSame) {
  const auto text = Read("b a b\n", 1, false);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->tokens, IsEmpty());
  EXPECT_THAT(text->counts, ElementsAre(2, 1));
}

TEST_F(WordsTest, GzipIsUnpackedAndDamageTold) {
  gzFile file = gzopen(path_.c_str(), "wb");
  const std::string plain(200000, ' ');
  gzwrite(file, plain.data(), static_cast<unsigned>(plain.size()));
  gzwrite(file, "one two one", 11);
  gzclose(file);
  const auto text = ReadText(path_, 1, true);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->tokens, ElementsAre(0, 1, 0, -1));
  std::string bytes = *ReadFile(path_);
  bytes.resize(bytes.size() - 5);
  const auto cut = Read(bytes, 1);
  EXPECT_EQ(cut.status().code(), absl::StatusCode::kDataLoss) << cut.status();
  EXPECT_THAT(std::string(cut.status().message()), testing::HasSubstr("words.txt"));
}

TEST_F(WordsTest, ABinaryFileIsToldByItsLine) {
  const auto read = Read("good\n" + std::string(1001, 'x'), 1);
  EXPECT_THAT(std::string(read.status().message()),
              testing::HasSubstr("words.txt:2: a word is longer than 1000 bytes"));
  EXPECT_TRUE(Read(std::string(1000, 'x'), 1).ok());
  EXPECT_TRUE(absl::IsNotFound(ReadText("/no/such", 1, true).status()));
}

}  // namespace
}  // namespace baton::text
