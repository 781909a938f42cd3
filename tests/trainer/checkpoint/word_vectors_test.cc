#include "trainer/checkpoint/word_vectors.h"

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WordVectorsTest : public testing::Test {
 protected:
  WordVectorsTest() : folder_(testing::TempDir() + "/vectors-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~WordVectorsTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<WordVectors> Read(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
    return ReadVectors(folder_ + "/" + name);
  }
  std::string Mistake(const std::string& name, const std::string& bytes) {
    const auto read = Read(name, bytes);
    EXPECT_FALSE(read.ok());
    return std::string(read.status().message());
  }

  std::string folder_;
};

const std::vector<std::string> kWords = {"the", "k\xc3\xb6nig", "x"};
const float kTable[] = {1, -0.1f, 1e-38f, 3.4e38f, 0.3333333433f, -0.0f};

TEST_F(WordVectorsTest, BothFormatsGiveTheBitsBack) {
  for (const auto format : {VectorFormat::kText, VectorFormat::kBinary}) {
    const std::string path = folder_ + (format == VectorFormat::kText ? "/v.txt" : "/v.bin");
    ASSERT_TRUE(WriteVectors(path, format, kWords, kTable, 2).ok());
    const auto read = ReadVectors(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->words, kWords);
    EXPECT_EQ(read->width, 2u);
    EXPECT_EQ(read->values, std::vector<float>(std::begin(kTable), std::end(kTable)));
  }
}

TEST_F(WordVectorsTest, WhatWord2vecWritesIsRead) {
  const auto text = Read("v.txt", "2 2\n</s> 0.5 -1 \nit 2e1 3 \n");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->words, ElementsAre("</s>", "it"));
  EXPECT_THAT(text->values, ElementsAre(0.5f, -1, 20, 3));
  const std::string one("\0\0\x80\x3f", 4);
  for (const char* line_end : {"\n", ""}) {
    const auto binary = Read("v.bin", absl::StrCat("2 1\na ", one, line_end, "b ", one, line_end));
    ASSERT_TRUE(binary.ok()) << binary.status();
    EXPECT_THAT(binary->words, ElementsAre("a", "b"));
    EXPECT_THAT(binary->values, ElementsAre(1, 1));
  }
}

TEST_F(WordVectorsTest, DamageIsToldByItsPlace) {
  EXPECT_THAT(Mistake("v.txt", ""), HasSubstr("v.txt:1: must begin with a line of two numbers"));
  EXPECT_THAT(Mistake("v.txt", "the 0.1 0.2\n"), HasSubstr("v.txt:1: must begin"));
  EXPECT_THAT(Mistake("v.txt", "99999999999 9999999\n"), HasSubstr("must begin"));
  EXPECT_THAT(Mistake("v.txt", "2 2\na 1 2\nb 1\n"),
              HasSubstr("v.txt:3: 1 values of 'b' instead of 2"));
  EXPECT_THAT(Mistake("v.txt", "2 2\na 1 2 3\nb 1 2\n"), HasSubstr("v.txt:2: 3 values of 'a'"));
  EXPECT_THAT(Mistake("v.txt", "2 2\na 1 nan\nb 1 2\n"),
              HasSubstr("v.txt:2: 'nan' is no finite number"));
  EXPECT_THAT(Mistake("v.txt", "2 2\na 1 2\n"),
              HasSubstr("v.txt:3: it is cut short: 1 of 2 words"));
  EXPECT_THAT(Mistake("v.txt", "1 2\na 1 2\nb 1 2\n"), HasSubstr("it goes on behind its 1 words"));
  EXPECT_THAT(Mistake("v.bin", "2 1\na 1234\nb 12"),
              HasSubstr("v.bin: at byte 15: it is cut short: 1 of 2 words"));
  EXPECT_THAT(Mistake("v.bin", std::string("1 1\na \0\0\x80\x7f", 10)),
              HasSubstr("at byte 10: a value of 'a' is no finite number"));
  EXPECT_TRUE(absl::IsNotFound(ReadVectors(folder_ + "/no.bin").status()));
}

TEST_F(WordVectorsTest, RowsAreFilledByWord) {
  const auto vectors = Read("v.vec", "3 1\nb 2\nc 3\nb 9\n");
  ASSERT_TRUE(vectors.ok()) << vectors.status();
  float table[] = {7, 7, 7};
  EXPECT_EQ(*FillVectors(*vectors, {"a", "b", "c"}, 1, table), 2);
  EXPECT_THAT(table, ElementsAre(7, 2, 3));
  EXPECT_THAT(std::string(FillVectors(*vectors, {"a"}, 1, table).status().message()),
              HasSubstr("none of its 3 words"));
  EXPECT_THAT(std::string(FillVectors(*vectors, {"b"}, 2, table).status().message()),
              HasSubstr("its vectors have 1 values, the embedding's width is 2"));
}

TEST_F(WordVectorsTest, NamesTellTheFormat) {
  for (const char* name : {"a.txt", "a.bin", "a.vec", "b/c.bin.gz"})
    EXPECT_TRUE(IsVectorFile(name));
  for (const char* name : {"a.safetensors", "bin", "a.gz"}) EXPECT_FALSE(IsVectorFile(name));
}

}  // namespace
}  // namespace baton::trainer
