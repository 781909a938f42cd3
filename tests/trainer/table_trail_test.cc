#include "trainer/table_trail.h"

#include <vector>

#include "common/hash.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

uint64_t HeadOf(const RowGradient& changed, const std::vector<float>& table) {
  TableTrail trail(7);
  trail.Add(changed, table.data(), 2);
  return trail.head();
}

TEST(TableTrailTest, SeesWhatChangedAndNothingElse) {
  const std::vector<float> table = {1, 2, 3, 4, 5, 6};
  const uint64_t head = HeadOf({{0, 2}, {}}, table);
  EXPECT_EQ(HeadOf({{0, 2}, {}}, {1, 2, 99, 4, 5, 6}), head) << "a row that was not touched";
  EXPECT_NE(HeadOf({{0, 2}, {}}, {1, 2, 3, 4, 5, 6.5f}), head) << "a row's last value";
  EXPECT_NE(HeadOf({{0, 1}, {}}, {1, 2, 5, 6, 3, 4}), head) << "the same values in another row";
  EXPECT_NE(HeadOf({{0}, {}}, table), head);
}

TEST(TableTrailTest, IsTheDigestOfIdsAndRowsHoweverManyAreNeighbours) {
  constexpr size_t kWidth = 100;
  std::vector<float> table(300 * kWidth);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i);
  RowGradient changed;
  for (int32_t id = 0; id < 300; ++id) {  // long and short runs, and rows alone
    if (id < 100 || id % 7 < 3 || (id > 200 && id < 230)) changed.ids.push_back(id);
  }
  Xxh3Stream want(7);
  want.Update(changed.ids.data(), changed.ids.size() * sizeof(int32_t));
  for (const int32_t id : changed.ids) {
    want.Update(table.data() + static_cast<size_t>(id) * kWidth, kWidth * sizeof(float));
  }
  TableTrail trail(7);
  trail.Add(changed, table.data(), kWidth);
  EXPECT_EQ(trail.head(), want.Digest());
}

TEST(TableTrailTest, GoesOnFromItsHead) {
  const std::vector<float> table = {1, 2, 3, 4};
  TableTrail whole, first;
  whole.Add({{0}, {}}, table.data(), 2);
  first.Add({{0}, {}}, table.data(), 2);
  TableTrail resumed(first.head());
  whole.Add({{1}, {}}, table.data(), 2);
  resumed.Add({{1}, {}}, table.data(), 2);
  EXPECT_EQ(resumed.head(), whole.head());
  EXPECT_NE(whole.head(), first.head());
}

}  // namespace
}  // namespace baton::trainer
