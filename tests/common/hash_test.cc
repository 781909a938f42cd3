#include "common/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

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

TEST(Hash, Xxh3OfPiecesIsThatOfTheWhole) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  Xxh3Stream stream(9);
  for (size_t at = 0, size = 1; at < bytes.size(); at += size, size = size * 3 + 1) {
    stream.Update(bytes.data() + at, std::min(size, bytes.size() - at));
  }
  EXPECT_EQ(stream.Digest(), Xxh3(bytes.data(), bytes.size(), 9));
}

TEST(Hash, Xxh3SeesOneFlippedBit) {
  char bytes[] = "weights";
  const uint64_t before = Xxh3(bytes, 7);
  bytes[3] ^= 1;
  EXPECT_NE(Xxh3(bytes, 7), before);
}

}  // namespace
}  // namespace baton
