#include "common/spec/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace baton::spec {
namespace {

TEST(Text, KnowsUtf8) {
  EXPECT_TRUE(IsPlainText("plain, caf\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80"));
  for (const char* bad : {"\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\x80"}) {
    EXPECT_FALSE(IsPlainText(bad));
  }
  EXPECT_FALSE(IsPlainText(absl::string_view("a\0b", 3)));
}

TEST(Text, ReadsRanks) {
  EXPECT_EQ(ParseRanks("3")->min, 3);
  EXPECT_EQ(ParseRanks("3")->max, 3);
  EXPECT_EQ(ParseRanks("1..8")->max, 8);
  EXPECT_EQ(ParseRanks("1..99999999999999999999")->max, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseRanks("-99999999999999999999")->min, std::numeric_limits<int64_t>::min());
  for (const char* bad : {"", "..", "1..", "..2", "1...2", "1..2..3", "a", "1.5", " 1"}) {
    EXPECT_FALSE(ParseRanks(bad).has_value()) << bad;
  }
}

TEST(Text, IsCutBetweenCharacters) {
  EXPECT_EQ(Shown("caf\xc3\xa9", 5), "caf\xc3\xa9");
  EXPECT_EQ(Shown("caf\xc3\xa9", 4), "caf...");
  EXPECT_EQ(Shown("cafe", 3), "caf...");
}

TEST(Text, ReadsSizes) {
  EXPECT_EQ(ParseBytes("0"), 0);
  EXPECT_EQ(ParseBytes("512"), 512);
  EXPECT_EQ(ParseBytes("1.5GB"), 1'500'000'000);
  EXPECT_EQ(ParseBytes("2 GiB"), int64_t{2} << 30);
  EXPECT_EQ(ParseBytes("1TiB"), int64_t{1} << 40);
  for (const char* bad : {"", "GB", "-1GB", "1 XB", "1e3GB", "99999999999TiB", "1.2.3MB"}) {
    EXPECT_FALSE(ParseBytes(bad).has_value()) << bad;
  }
}

TEST(Text, ReadsDurations) {
  EXPECT_EQ(ParseDurationMs("90"), 90'000);
  EXPECT_EQ(ParseDurationMs("0.5"), 500);
  EXPECT_EQ(ParseDurationMs("90s"), 90'000);
  EXPECT_EQ(ParseDurationMs("1h30m"), 5'400'000);
  EXPECT_EQ(ParseDurationMs("2d"), 172'800'000);
  for (const char* bad : {"", "h", "30m1h", "1h1h", "1h30", "1x", "-5s", "1 h"}) {
    EXPECT_FALSE(ParseDurationMs(bad).has_value()) << bad;
  }
}

TEST(Text, ReadsNumbers) {
  EXPECT_EQ(ParseNumber("1e-3"), 1e-3);
  EXPECT_EQ(ParseNumber("+.5"), 0.5);
  for (const char* bad : {"", "inf", "nan", "0x10", "1e999", "1_000", "e", "--1", "1 "}) {
    EXPECT_FALSE(ParseNumber(bad).has_value()) << bad;
  }
  EXPECT_EQ(NumberText(0.1), "0.1");
  EXPECT_EQ(NumberText(255), "255");
}

TEST(Text, FindsTheNearestWord) {
  const std::vector<std::string> words = {"epochs", "seed", "ranks"};
  EXPECT_EQ(Nearest("epoch", words), std::vector<std::string>{"epochs"});
  EXPECT_EQ(Nearest("rank", words), std::vector<std::string>{"ranks"});
  EXPECT_TRUE(Nearest("optimizer", words).empty());
  EXPECT_TRUE(Nearest(std::string(100'000, 'x'), words).empty());
}

}  // namespace
}  // namespace baton::spec
