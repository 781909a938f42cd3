#include "common/artifact/local_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "tests/common/artifact/store_contract.h"
#include "tests/fakes/small_disk.h"

namespace baton::artifact {
namespace {

namespace fs = std::filesystem;

class ManualClock : public Clock {
 public:
  int64_t UnixMillis() const override { return now_ms; }
  int64_t MonotonicMillis() const override { return now_ms; }
  int64_t now_ms = 1'700'000'000'000;
};

constexpr int64_t kHourMs = 3'600'000;

std::string FreshFolder() {
  const std::string folder = testing::TempDir() + "/local_dir." + std::to_string(::getpid());
  fs::remove_all(folder);
  return folder;
}

std::string PathOf(const std::string& folder, const std::string& digest) {
  const std::string manifest = folder + "/manifests/" + digest;
  if (fs::exists(manifest)) return manifest;
  return folder + "/chunks/" + digest.substr(0, 2) + "/" + digest;
}

class LocalDirUnderTest : public StoreUnderTest {
 public:
  LocalDirUnderTest()
      : folder_(FreshFolder()), store_(LocalDir::Open(folder_, {.free_percent_min = 0}).value()) {}
  ~LocalDirUnderTest() override { fs::remove_all(folder_); }
  Store& store() override { return *store_; }
  void Overwrite(const std::string& digest, const std::string& bytes) override {
    ASSERT_TRUE(WriteFileAtomically(PathOf(folder_, digest), bytes).ok());
  }
  std::string Stored(const std::string& digest) override {
    return ReadFile(PathOf(folder_, digest)).value();
  }

 private:
  const std::string folder_;
  const std::unique_ptr<LocalDir> store_;
};

INSTANTIATE_TEST_SUITE_P(LocalDir, StoreContract,
                         testing::Values([]() -> std::unique_ptr<StoreUnderTest> {
                           return std::make_unique<LocalDirUnderTest>();
                         }));

class LocalDirTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void TearDown() override { fs::remove_all(folder_); }

  void Reopen() {
    auto opened = LocalDir::Open(folder_, {.free_percent_min = 0}, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  std::string Put(const std::string& raw) {
    EXPECT_TRUE(store_->PutChunk(Sha256Hex(raw), CompressChunk(raw)).ok());
    return Sha256Hex(raw);
  }

  std::string PutManifest(const std::string& raw) {
    Manifest manifest;
    manifest.files.push_back({"f", 0644, static_cast<int64_t>(raw.size()), {Sha256Hex(raw)}});
    return store_->PutManifest(SerializeManifest(manifest)).value();
  }

  bool Has(const std::string& digest) const { return fs::exists(PathOf(folder_, digest)); }

  const std::string folder_ = FreshFolder();
  ManualClock clock_;
  std::unique_ptr<LocalDir> store_;
};

TEST_F(LocalDirTest, KeepsAllOverARestartAndClearsWhatWasUnfinished) {
  const std::string digest = Put("x");
  const std::string manifest = PutManifest("x");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/tmp/17", "half").ok());
  Reopen();
  EXPECT_TRUE(store_->GetChunk(digest).ok());
  EXPECT_TRUE(store_->GetManifest(manifest).ok());
  EXPECT_FALSE(fs::exists(folder_ + "/tmp/17"));
}

TEST_F(LocalDirTest, AFolderThatWasRemovedIsMadeAnew) {
  Put("x");
  fs::remove_all(folder_);
  Put("x");
  PutManifest("x");
  Reopen();
  EXPECT_TRUE(store_->GetChunk(Sha256Hex("x")).ok());
  fs::remove_all(folder_);
  EXPECT_TRUE(store_->PutManifest(SerializeManifest({})).ok());
  fs::remove_all(folder_);
  ASSERT_TRUE(WriteFileAtomically(folder_, "in its place").ok());
  const absl::Status status = store_->PutChunk(Sha256Hex("y"), CompressChunk("y"));
  EXPECT_TRUE(absl::IsInternal(status)) << "a client did nothing wrong: " << status;
}

TEST_F(LocalDirTest, CollectsOnlyWhatIsOldAndUnnamed) {
  const std::string live = Put("live");
  const std::string live_manifest = PutManifest("live");
  const std::string dead = Put("dead");
  const std::string dead_manifest = PutManifest("dead");
  const std::string pinned = Put("pinned");
  clock_.now_ms += kHourMs + 1;
  const std::string young = Put("young");

  const auto collected =
      store_->Collect({.manifests = {live_manifest}, .chunks = {pinned}}, kHourMs);
  ASSERT_TRUE(collected.ok()) << collected.status();
  EXPECT_EQ(collected->chunks, 1);
  EXPECT_EQ(collected->manifests, 1);
  EXPECT_GT(collected->bytes, 0);
  EXPECT_TRUE(Has(live) && Has(live_manifest) && Has(pinned) && Has(young));
  EXPECT_FALSE(Has(dead) || Has(dead_manifest));
}

TEST_F(LocalDirTest, WhatAnUploadWasToldAboutStays) {
  const std::string digest = Put("x");
  clock_.now_ms += 2 * kHourMs;
  EXPECT_TRUE(store_->MissingChunks({digest})->empty());
  EXPECT_EQ(store_->Collect({}, kHourMs)->chunks, 0);
  clock_.now_ms += kHourMs + 1;
  EXPECT_EQ(store_->Collect({}, kHourMs)->chunks, 1);
  EXPECT_EQ(store_->MissingChunks({digest})->size(), 1u);
}

TEST_F(LocalDirTest, AYoungManifestKeepsItsChunks) {
  const std::string digest = Put("x");
  const std::string manifest = PutManifest("x");
  clock_.now_ms += kHourMs;
  EXPECT_EQ(store_->Collect({}, kHourMs)->chunks, 0);
  EXPECT_TRUE(Has(digest) && Has(manifest));
}

TEST_F(LocalDirTest, CollectsNothingWhenALiveManifestIsDamaged) {
  const std::string dead = Put("dead");
  Put("live");
  const std::string manifest = PutManifest("live");
  ASSERT_TRUE(WriteFileAtomically(PathOf(folder_, manifest), "{}").ok());
  clock_.now_ms += 2 * kHourMs;
  EXPECT_EQ(store_->Collect({.manifests = {manifest}, .chunks = {}}, kHourMs).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Has(dead));
}

TEST(LocalDirFullDisk, RefusesBeforeTheDiskIsFullAndGoesOnAfterwards) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a tmpfs";
  const SmallDisk disk(8 << 20);
  ASSERT_TRUE(disk.mounted());
  const auto store = LocalDir::Open(disk.folder() + "/store").value();
  int stored = 0;
  absl::Status status;
  for (uint64_t i = 0; i < 20 && status.ok(); ++i) {
    const std::string raw = Noise(i, kChunkBytes);
    status = store->PutChunk(Sha256Hex(raw), CompressChunk(raw));
    stored += status.ok() ? 1 : 0;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("10 % are kept; free some space"));
  EXPECT_GE(stored, 6);
  // Nothing half-done: each chunk that was acknowledged is whole.
  for (uint64_t i = 0; i < static_cast<uint64_t>(stored); ++i) {
    EXPECT_TRUE(store->GetChunk(Sha256Hex(Noise(i, kChunkBytes))).ok()) << i;
  }
  fs::remove(PathOf(disk.folder() + "/store", Sha256Hex(Noise(0, kChunkBytes))));
  fs::remove(PathOf(disk.folder() + "/store", Sha256Hex(Noise(1, kChunkBytes))));
  EXPECT_TRUE(store->PutChunk(Sha256Hex("x"), CompressChunk("x")).ok());
}

TEST(LocalDirFullDisk, LeavesNothingBehindWhenTheLastByteIsGone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a tmpfs";
  const SmallDisk disk(4 << 20);
  ASSERT_TRUE(disk.mounted());
  const auto store = LocalDir::Open(disk.folder() + "/store", {.free_percent_min = 0}).value();
  disk.Fill();
  const std::string raw = Noise(7, kChunkBytes);
  EXPECT_EQ(store->PutChunk(Sha256Hex(raw), CompressChunk(raw)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(store->MissingChunks({Sha256Hex(raw)})->size(), 1u);
  EXPECT_TRUE(fs::is_empty(disk.folder() + "/store/tmp"));
  disk.Empty();
  EXPECT_TRUE(store->PutChunk(Sha256Hex(raw), CompressChunk(raw)).ok());
}

TEST(LocalDirFullDisk, ADownloadThatRanOutOfSpaceIsTakenUp) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a tmpfs";
  const std::string folder = FreshFolder();
  const auto store = LocalDir::Open(folder, {.free_percent_min = 0}).value();
  const std::string source = testing::TempDir() + "/full_disk_source";
  fs::create_directories(source);
  ASSERT_TRUE(WriteFileAtomically(source + "/big", Noise(3, 3 * kChunkBytes)).ok());
  const auto uploaded = UploadFolder(source, *store);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();

  const SmallDisk disk(4 << 20);
  ASSERT_TRUE(disk.mounted());
  ASSERT_TRUE(WriteFileAtomically(disk.folder() + "/other", Noise(4, 2 * kChunkBytes)).ok());
  const std::string target = disk.folder() + "/out";
  EXPECT_EQ(Download(*store, uploaded->manifest, target).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(fs::exists(target));
  fs::remove(disk.folder() + "/other");
  const auto progress = Download(*store, uploaded->manifest, target);
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_LT(progress->chunks_moved, 3);
  EXPECT_EQ(*ReadFile(target + "/big"), *ReadFile(source + "/big"));
  fs::remove_all(source);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace baton::artifact
