// What every artifact::Store must do. Include it in one source of a test program and instantiate:
//   INSTANTIATE_TEST_SUITE_P(LocalDir, StoreContract, testing::Values(MakeLocalDir));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/artifact/artifact.h"
#include "common/artifact/chunk.h"
#include "common/artifact/manifest.h"
#include "common/hash.h"
#include "common/random.h"

namespace baton::artifact {

// A store with what it takes to run it, made anew for each test.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  // The stored bytes of a chunk, or of a manifest, are replaced behind the store's back.
  virtual void Overwrite(const std::string& digest, const std::string& bytes) = 0;
  // What was stored under the digest.
  virtual std::string Stored(const std::string& digest) = 0;
};

using StoreFactory = std::unique_ptr<StoreUnderTest> (*)();

// Bytes that do not compress.
inline std::string Noise(uint64_t seed, size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next() >> 56);
  return bytes;
}

class StoreContract : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam()(); }
  Store& store() { return under_test_->store(); }

  // Stores `raw` and returns its digest.
  std::string Put(const std::string& raw) {
    const std::string digest = Sha256Hex(raw);
    const absl::Status status = store().PutChunk(digest, CompressChunk(raw));
    EXPECT_TRUE(status.ok()) << status;
    return digest;
  }

  std::string ManifestOf(const std::vector<std::string>& raws) {
    Manifest manifest;
    for (size_t i = 0; i < raws.size(); ++i) {
      manifest.files.push_back({"f" + std::to_string(i),
                                0644,
                                static_cast<int64_t>(raws[i].size()),
                                {Sha256Hex(raws[i])}});
    }
    return SerializeManifest(manifest);
  }

  std::unique_ptr<StoreUnderTest> under_test_;
};

TEST_P(StoreContract, GivesBackWhatWasPut) {
  for (const size_t size : {size_t{1}, size_t{1000}, kChunkBytes}) {
    const std::string raw = Noise(size, size);
    const std::string digest = Put(raw);
    const absl::StatusOr<std::string> compressed = store().GetChunk(digest);
    ASSERT_TRUE(compressed.ok()) << compressed.status();
    EXPECT_EQ(*OpenChunk(digest, *compressed), raw);
  }
}

TEST_P(StoreContract, ToldTheMissingInOrderAndOnce) {
  const std::string here = Put("here");
  const std::string a = Sha256Hex("a");
  const std::string b = Sha256Hex("b");
  EXPECT_EQ(*store().MissingChunks({b, here, a, b}), (std::vector<std::string>{b, a}));
  EXPECT_TRUE(store().MissingChunks({})->empty());
}

TEST_P(StoreContract, PuttingTwiceIsPuttingOnce) {
  EXPECT_EQ(Put("x"), Put("x"));
  EXPECT_TRUE(store().GetChunk(Sha256Hex("x")).ok());
}

TEST_P(StoreContract, RefusesAChunkUnderAWrongName) {
  const std::string digest = Sha256Hex("right");
  EXPECT_EQ(store().PutChunk(digest, CompressChunk("wrong")).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store().MissingChunks({digest})->size(), 1u);
}

TEST_P(StoreContract, RefusesWhatIsNoChunk) {
  const std::string raw = Noise(1, 5000);
  const std::string digest = Sha256Hex(raw);
  const std::string good = CompressChunk(raw);
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  for (const std::string& bad :
       {std::string(), std::string("no zstd"), good.substr(0, good.size() - 1), flipped, raw}) {
    EXPECT_EQ(store().PutChunk(digest, bad).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(store().MissingChunks({digest})->size(), 1u);
}

TEST_P(StoreContract, RefusesNamesThatAreNoDigests) {
  for (const std::string& bad :
       {std::string(), std::string("../../etc/passwd"), std::string(64, 'A'), std::string(63, 'a'),
        std::string(65, 'a')}) {
    EXPECT_EQ(store().MissingChunks({bad}).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(store().PutChunk(bad, CompressChunk("x")).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(store().GetChunk(bad).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(store().GetManifest(bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_P(StoreContract, DoesNotKnowWhatWasNotPut) {
  EXPECT_EQ(store().GetChunk(Sha256Hex("?")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().GetManifest(Sha256Hex("?")).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreContract, KeepsAManifestWhoseChunksAreThere) {
  Put("one");
  Put("two");
  const std::string bytes = ManifestOf({"one", "two"});
  const absl::StatusOr<std::string> digest = store().PutManifest(bytes);
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(*digest, Sha256Hex(bytes));
  EXPECT_EQ(*store().GetManifest(*digest), bytes);
  EXPECT_EQ(*store().PutManifest(bytes), *digest);
}

TEST_P(StoreContract, RefusesAManifestBeforeItsChunks) {
  Put("one");
  EXPECT_EQ(store().PutManifest(ManifestOf({"one", "two"})).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store().PutManifest("{}").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreContract, SeesDamageOnReadingAndMendsIt) {
  const std::string raw = Noise(2, 4000);
  const std::string digest = Put(raw);
  const std::string good = under_test_->Stored(digest);
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 0x10);
  for (const std::string& bad : {flipped, good.substr(0, good.size() / 2), std::string()}) {
    under_test_->Overwrite(digest, bad);
    EXPECT_EQ(store().GetChunk(digest).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(store().MissingChunks({digest})->size(), 1u);
    Put(raw);
    EXPECT_TRUE(store().GetChunk(digest).ok());
  }
}

TEST_P(StoreContract, SeesADamagedManifest) {
  Put("one");
  const std::string bytes = ManifestOf({"one"});
  const std::string digest = *store().PutManifest(bytes);
  for (const std::string& bad :
       {bytes.substr(0, bytes.size() - 1), ManifestOf({}), std::string()}) {
    under_test_->Overwrite(digest, bad);
    EXPECT_EQ(store().GetManifest(digest).status().code(), absl::StatusCode::kDataLoss);
    ASSERT_TRUE(store().PutManifest(bytes).ok());
  }
}

TEST_P(StoreContract, ManyThreadsMayPutTheSame) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (uint64_t i = 0; i < 8; ++i) Put(Noise(i, 3000));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(store().GetChunk(Sha256Hex(Noise(i, 3000))).ok());
  }
}

}  // namespace baton::artifact
