#include "common/artifact/chunk.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "common/hash.h"
#include "tests/common/artifact/store_contract.h"

namespace baton::artifact {

// This program has the contract's tools but no store of its own.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);

namespace {

TEST(Chunk, ReadsBack) {
  for (const size_t size : {size_t{1}, size_t{2}, size_t{65'536}, kChunkBytes}) {
    for (const std::string& raw : {std::string(size, 'z'), Noise(size, size)}) {
      const std::string compressed = CompressChunk(raw);
      EXPECT_LE(compressed.size(), kCompressedChunkBytesMax);
      EXPECT_EQ(*OpenChunk(Sha256Hex(raw), compressed), raw);
    }
  }
}

TEST(Chunk, EveryFlippedBitIsSeen) {
  const std::string raw = Noise(5, 300);
  const std::string good = CompressChunk(raw);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const absl::StatusOr<std::string> opened = OpenChunk(Sha256Hex(raw), bad);
    // A bit that zstd does not use may leave the bytes as they are; others must not pass.
    if (opened.ok()) {
      EXPECT_EQ(*opened, raw) << bit;
    } else {
      EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << bit;
    }
  }
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(OpenChunk(Sha256Hex(raw), good.substr(0, length)).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(Chunk, ABombIsRefused) {
  const std::string huge(64 << 20, '\0');
  std::string bomb(ZSTD_compressBound(huge.size()), '\0');
  bomb.resize(ZSTD_compress(bomb.data(), bomb.size(), huge.data(), huge.size(), 19));
  ASSERT_LT(bomb.size(), kCompressedChunkBytesMax);
  EXPECT_EQ(OpenChunk(Sha256Hex(huge), bomb).status().code(), absl::StatusCode::kDataLoss);
}

TEST(Digest, Is64LowerCaseHexadecimalCharacters) {
  EXPECT_TRUE(IsDigest(Sha256Hex("")));
  EXPECT_FALSE(IsDigest(std::string(64, 'A')));
  EXPECT_FALSE(IsDigest(std::string(64, 'g')));
  EXPECT_FALSE(IsDigest(std::string(63, 'a')));
}

}  // namespace
}  // namespace baton::artifact
