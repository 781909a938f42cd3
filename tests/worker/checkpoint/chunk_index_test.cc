#include "worker/checkpoint/chunk_index.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

artifact::ChunkPlace Place(const std::string& digest, const std::string& file) {
  return {.digest = digest, .file = file, .offset = 0, .bytes = 4};
}

TEST(ChunkIndex, AFolderThatIsEvictedTakesItsChunksAlong) {
  ChunkIndex index;
  index.Add("/cache/a", {Place("one", "/cache/a/x"), Place("two", "/cache/a/y")});
  index.Add("/cache/ab", {Place("three", "/cache/ab/x")});
  ASSERT_TRUE(index.Find("one").has_value());
  EXPECT_EQ(index.Find("one")->file, "/cache/a/x");
  index.Remove("/cache/a");
  EXPECT_FALSE(index.Find("one").has_value());
  EXPECT_FALSE(index.Find("two").has_value());
  EXPECT_TRUE(index.Find("three").has_value()) << "a folder whose name only begins alike stays";
  index.Remove("/cache/a");
  index.Remove("/cache/none");
  EXPECT_TRUE(index.Find("three").has_value());
}

TEST(ChunkIndex, AChunkOfALaterFolderOutlivesTheEarlierOne) {
  ChunkIndex index;
  index.Add("/cache/old", {Place("shared", "/cache/old/x")});
  index.Add("/cache/new", {Place("shared", "/cache/new/x")});
  index.Remove("/cache/old");
  ASSERT_TRUE(index.Find("shared").has_value());
  EXPECT_EQ(index.Find("shared")->file, "/cache/new/x");
  index.Remove("/cache/new");
  EXPECT_FALSE(index.Find("shared").has_value());
}

TEST(ChunkIndex, IsBoundedAndHasRoomAgainAfterAnEviction) {
  constexpr int kMax = 200'000;
  ChunkIndex index;
  std::vector<artifact::ChunkPlace> places;
  for (int i = 0; i < kMax + 10; ++i) places.push_back(Place(absl::StrCat(i), "/cache/big/x"));
  index.Add("/cache/big", places);
  EXPECT_TRUE(index.Find(absl::StrCat(kMax - 1)).has_value());
  EXPECT_FALSE(index.Find(absl::StrCat(kMax)).has_value());
  index.Add("/cache/small", {Place("late", "/cache/small/x")});
  EXPECT_FALSE(index.Find("late").has_value());
  index.Remove("/cache/big");
  index.Add("/cache/small", {Place("late", "/cache/small/x")});
  EXPECT_TRUE(index.Find("late").has_value());
}

}  // namespace
}  // namespace baton::worker
