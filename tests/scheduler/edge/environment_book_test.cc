#include "scheduler/edge/environment_book.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/artifact/chunk.h"
#include "common/artifact/local_dir.h"
#include "common/artifact/manifest.h"
#include "common/hash.h"

namespace baton::edge {
namespace {

namespace fs = std::filesystem;

class ManualClock : public Clock {
 public:
  int64_t UnixMillis() const override { return now_ms; }
  int64_t MonotonicMillis() const override { return now_ms; }
  int64_t now_ms = 1'795'000'000'000;
};

class EnvironmentBookTest : public testing::Test {
 protected:
  EnvironmentBookTest() : top_(testing::TempDir() + "/book." + std::to_string(::getpid())) {
    fs::remove_all(top_);
    store_ = artifact::LocalDir::Open(top_ + "/blobs", {.free_percent_min = 0}, clock_).value();
  }
  ~EnvironmentBookTest() override { fs::remove_all(top_); }

  std::unique_ptr<EnvironmentBook> Open(const EnvironmentLimits& limits = {}) {
    return EnvironmentBook::Open(top_ + "/environments", *store_, clock_, limits).value();
  }

  // A stored manifest of one file with these bytes.
  std::string Stored(const std::string& bytes) {
    const std::string digest = Sha256Hex(bytes);
    EXPECT_TRUE(store_->PutChunk(digest, artifact::CompressChunk(bytes)).ok());
    artifact::Manifest manifest;
    manifest.files.push_back(
        {"environment.tar", 0600, static_cast<int64_t>(bytes.size()), {digest}});
    return store_->PutManifest(artifact::SerializeManifest(manifest)).value();
  }

  static std::string Key(char c) { return std::string(64, c); }

  const std::string top_;
  ManualClock clock_;
  std::unique_ptr<artifact::LocalDir> store_;
};

TEST_F(EnvironmentBookTest, TheFirstWordHoldsAndOutlivesARestart) {
  const std::string one = Stored("one"), two = Stored("two");
  {
    const auto book = Open();
    EXPECT_TRUE(absl::IsNotFound(book->Find(Key('a')).status()));
    EXPECT_EQ(*book->Register(Key('a'), one), one);
    EXPECT_EQ(*book->Register(Key('a'), two), one) << "both are right, the first is kept";
  }
  const auto book = Open();
  EXPECT_EQ(*book->Find(Key('a')), one);
  EXPECT_EQ(book->Manifests(), std::vector<std::string>{one});
}

TEST_F(EnvironmentBookTest, TheLongestUnusedGoes) {
  const auto book = Open({.entries_max = 2});
  for (const char c : {'a', 'b'}) {
    ++clock_.now_ms;
    ASSERT_TRUE(book->Register(Key(c), Stored(std::string(1, c))).ok());
  }
  ++clock_.now_ms;
  ASSERT_TRUE(book->Find(Key('a')).ok());
  ++clock_.now_ms;
  ASSERT_TRUE(book->Register(Key('c'), Stored("c")).ok());
  EXPECT_TRUE(book->Find(Key('a')).ok());
  EXPECT_TRUE(absl::IsNotFound(book->Find(Key('b')).status()));
  EXPECT_FALSE(fs::exists(top_ + "/environments/" + Key('b')));
}

TEST_F(EnvironmentBookTest, TheirBytesHaveALimit) {
  const auto book = Open({.bytes_max = 250});
  for (const char c : {'a', 'b', 'c'}) {
    ++clock_.now_ms;
    ASSERT_TRUE(book->Register(Key(c), Stored(std::string(100, c))).ok());
  }
  EXPECT_FALSE(book->Find(Key('a')).ok());
  EXPECT_TRUE(book->Find(Key('c')).ok());
  EXPECT_TRUE(
      absl::IsResourceExhausted(book->Register(Key('d'), Stored(std::string(300, 'd'))).status()));
  EXPECT_TRUE(book->Find(Key('c')).ok()) << "nothing goes for what is not kept";
}

TEST_F(EnvironmentBookTest, WhatIsNotThereIsNotNamed) {
  const auto book = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(book->Register(Key('a'), Key('0')).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(book->Find("../../etc").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(book->Register("x", Stored("x")).status()));
  const std::string gone = Stored("gone");
  ASSERT_TRUE(book->Register(Key('b'), gone).ok());
  fs::remove(top_ + "/blobs/manifests/" + gone);
  EXPECT_TRUE(book->Manifests().empty()) << "a collection would end at it";
  EXPECT_TRUE(absl::IsNotFound(book->Find(Key('b')).status()));
}

TEST_F(EnvironmentBookTest, ADamagedEntryIsNone) {
  ASSERT_TRUE(Open()->Register(Key('a'), Stored("a")).ok());
  std::ofstream(top_ + "/environments/" + Key('a')) << "{\"manifest\":5}";
  EXPECT_TRUE(absl::IsNotFound(Open()->Find(Key('a')).status()));
}

TEST_F(EnvironmentBookTest, ACollectionSparesWhatItNames) {
  const auto book = Open();
  const std::string kept = Stored("kept"), other = Stored("other");
  ASSERT_TRUE(book->Register(Key('a'), kept).ok());
  clock_.now_ms += 10'000'000;
  ASSERT_TRUE(store_->Collect({.manifests = book->Manifests(), .chunks = {}}, 0).ok());
  EXPECT_TRUE(store_->GetChunk(Sha256Hex("kept")).ok());
  EXPECT_FALSE(store_->GetManifest(other).ok());
}

}  // namespace
}  // namespace baton::edge
