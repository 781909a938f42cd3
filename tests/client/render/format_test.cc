#include "client/render/format.h"

#include <gtest/gtest.h>

#include "client/render/table.h"

namespace baton::client {
namespace {

TEST(Format, Durations) {
  EXPECT_EQ(Duration(0), "0.0 s");
  EXPECT_EQ(Duration(440), "0.4 s");
  EXPECT_EQ(Duration(59'999), "59.9 s");
  EXPECT_EQ(Duration(98'000), "1:38");
  EXPECT_EQ(Duration(7'390'000), "2:03:10");
}

TEST(Format, Numbers) {
  EXPECT_EQ(Bytes(0), "0 B");
  EXPECT_EQ(Bytes(3277), "3.2 KiB");
  EXPECT_EQ(Bytes(int64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(Usd(3100), "$0.0031");
  EXPECT_EQ(Usd(12'340'000), "$12.34");
  EXPECT_EQ(Percent(0.93), "93.0 %");
  EXPECT_EQ(Thousands(7), "7");
  EXPECT_EQ(Thousands(1390), "1 390");
  EXPECT_EQ(Thousands(-1234567), "-1 234 567");
}

TEST(Format, ColorsAreForTerminalsThatWantThem) {
  EXPECT_TRUE(WantsColor(nullptr, "xterm", true));
  EXPECT_TRUE(WantsColor("", nullptr, true));  // no-color.org: only when not empty
  EXPECT_FALSE(WantsColor("1", "xterm", true));
  EXPECT_FALSE(WantsColor(nullptr, "dumb", true));
  EXPECT_FALSE(WantsColor(nullptr, "xterm", false));
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCellInCharacters) {
  EXPECT_EQ(Table({{"A", "B"}, {"▃▄", "x"}, {"", "y"}}), "A   B\n▃▄  x\n    y\n");
  EXPECT_EQ(DisplayWidth("\x1b[32mok\x1b[0m"), 2u);
}

}  // namespace
}  // namespace baton::client
