#include "worker/link/mask.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

std::string Masked(const std::vector<std::string>& values, const std::string& text, size_t piece) {
  Mask mask(values);
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) out += mask.Feed(text.substr(at, piece));
  return out + mask.Rest();
}

TEST(Mask, TakesValuesOutWhereverTheBytesAreCut) {
  const std::vector<std::string> values = {"hunter2", "hunter2-long", "aaaaab"};
  const std::string text = "x hunter2 y hunter2-long z aaaaaaab hunte r2 hunter2hunter2 hunter";
  const std::string expected = "x *** y *** z aa*** hunte r2 ****** hunter";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(Masked(values, text, piece), expected) << piece;
  }
  EXPECT_EQ(Masked(values, "ends with hunter2", 3), "ends with ***");
  EXPECT_EQ(Masked(values, "hunter2-lo", 4), "***-lo");
}

TEST(Mask, HoldsBackNoMoreThanMayBeAValue) {
  Mask mask({"hunter2"});
  EXPECT_EQ(mask.Feed("a line\n"), "a line\n");
  EXPECT_EQ(mask.Feed("progress h"), "progress ");
  EXPECT_EQ(mask.Feed("unt"), "");
  EXPECT_EQ(mask.Feed("!"), "hunt!");
  EXPECT_EQ(mask.Feed("hun"), "");
  EXPECT_EQ(mask.Rest(), "hun");
  EXPECT_EQ(mask.Rest(), "");
}

TEST(Mask, ShortValuesAreLetThrough) {
  EXPECT_EQ(Masked({"1", "", "abcde"}, "1 abcde", 3), "1 abcde");
  EXPECT_TRUE(Mask({"1"}).empty());
}

TEST(Mask, EachLongLineOfAValueIsOne) {
  const std::string key = "-----BEGIN KEY-----\n0123456789abcdef0123\nshort\n";
  EXPECT_EQ(Masked({key}, "> 0123456789abcdef0123 short\n", 4), "> *** short\n");
  EXPECT_EQ(Masked({key}, key, key.size()), "***");
}

}  // namespace
}  // namespace baton::worker
