#include "common/printable.h"

#include <gtest/gtest.h>

namespace baton {
namespace {

TEST(Printable, KeepsTextAndEscapesWhatIsNone) {
  EXPECT_EQ(Printable("model-1.bin"), "model-1.bin");
  EXPECT_EQ(Printable("gr\xc3\xb6\xc3\x9f"
                      "e \xf0\x9f\x98\x80"),
            "gr\xc3\xb6\xc3\x9f"
            "e \xf0\x9f\x98\x80");
  EXPECT_EQ(Printable("a\nb\tc\r\x01\x7f"), "a\\nb\\tc\\r\\x01\\x7f");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Printable("\xc0\x80 \xed\xa0\x80"), "\\xc0\\x80 \\xed\\xa0\\x80")
      << "overlong, surrogate";
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b") << "a control character of C1";
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(Printable("abcdef", 3), "abc..");
  EXPECT_EQ(Printable("a\xc3\xb6", 2), "a..");
  EXPECT_EQ(Printable("abc", 3), "abc");
}

}  // namespace
}  // namespace baton
