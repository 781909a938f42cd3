#include "common/hash.h"

#include <gtest/gtest.h>

namespace baton {
namespace {

TEST(Hash, Sha256MatchesThePublishedVector) {  // FIPS 180-2, B.1
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, PiecesHashLikeTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.FinishHex(), Sha256Hex("abc"));
}

TEST(Hash, Xxh3SeesOneFlippedBit) {
  char bytes[] = "weights";
  const uint64_t before = Xxh3(bytes, 7);
  bytes[3] ^= 1;
  EXPECT_NE(Xxh3(bytes, 7), before);
}

}  // namespace
}  // namespace baton
