#include "common/text/pairs.h"

#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::text {
namespace {

absl::StatusOr<std::vector<WordPair>> Read(const std::string& text) {
  const std::string path = testing::TempDir() + "/pairs.csv";
  EXPECT_TRUE(WriteFileAtomically(path, text).ok());
  return ReadPairs(path);
}

std::string Mistake(const std::string& text) { return std::string(Read(text).status().message()); }

TEST(PairsTest, AreReadBehindTheHeader) {
  const auto pairs = Read("Word 1,Word 2,Human (mean)\ntiger,cat,7.35\na,\"b\",0\nx,y,-1e-1\r\n");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 3u);
  EXPECT_EQ((*pairs)[0].a, "tiger");
  EXPECT_EQ((*pairs)[1].b, "b");
  EXPECT_EQ((*pairs)[2].score, -0.1);
}

TEST(PairsTest, MistakesHaveALine) {
  EXPECT_THAT(Mistake("a,b,c\nx,y,1\nx,y\n"), testing::HasSubstr("pairs.csv:3: must be a word"));
  EXPECT_THAT(Mistake("a,b,c\nx,y,nan\n"), testing::HasSubstr("pairs.csv:2: must be a word"));
  EXPECT_THAT(Mistake("a,b,c\n,y,1\n"), testing::HasSubstr("pairs.csv:2: must be a word"));
  EXPECT_THAT(Mistake("a,b,c\nx,y,1\nx,z,1\n"), testing::HasSubstr("2 pairs behind the header"));
  EXPECT_THAT(Mistake(""), testing::HasSubstr("0 pairs behind the header"));
}

}  // namespace
}  // namespace baton::text
