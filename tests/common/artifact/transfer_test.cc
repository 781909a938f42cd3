#include "common/artifact/transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/local_dir.h"
#include "common/artifact/manifest.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/random.h"

namespace baton::artifact {
namespace {

namespace fs = std::filesystem;

std::string Bytes(uint64_t seed, size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next() >> 56);
  return bytes;
}

// A store that counts, and that fails or lies on demand.
class Watched : public Store {
 public:
  explicit Watched(Store& inner) : inner_(inner) {}

  absl::StatusOr<std::vector<std::string>> MissingChunks(
      const std::vector<std::string>& digests) override {
    return inner_.MissingChunks(digests);
  }
  absl::Status PutChunk(const std::string& digest, absl::string_view compressed) override {
    if (calls_left-- <= 0) return absl::UnavailableError("gone");
    ++puts;
    return inner_.PutChunk(digest, compressed);
  }
  absl::StatusOr<std::string> GetChunk(const std::string& digest) override {
    if (calls_left-- <= 0) return absl::UnavailableError("gone");
    ++gets;
    absl::StatusOr<std::string> compressed = inner_.GetChunk(digest);
    if (compressed.ok() && flip) compressed->back() = static_cast<char>(compressed->back() ^ 1);
    return compressed;
  }
  absl::StatusOr<std::string> PutManifest(absl::string_view bytes) override {
    return inner_.PutManifest(bytes);
  }
  absl::StatusOr<std::string> GetManifest(const std::string& digest) override {
    absl::StatusOr<std::string> bytes = inner_.GetManifest(digest);
    if (bytes.ok() && flip_manifest) bytes->back() = ' ';
    return bytes;
  }

  std::atomic<int> puts{0};
  std::atomic<int> gets{0};
  std::atomic<int> calls_left{1'000'000};
  bool flip = false;
  bool flip_manifest = false;

 private:
  Store& inner_;
};

class Transfer : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(top_);
    fs::create_directories(top_ + "/in/sub");
    inner_ = LocalDir::Open(top_ + "/store", {.free_percent_min = 0}).value();
    store_ = std::make_unique<Watched>(*inner_);
    Write("in/big", Bytes(1, 3 * kChunkBytes + 17));
    Write("in/sub/small", "small");
    Write("in/zeros", std::string(4 * kChunkBytes, '\0'));
    Write("in/empty", "");
    ::chmod((top_ + "/in/sub/small").c_str(), 0750);
  }
  void TearDown() override { fs::remove_all(top_); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(top_ + "/" + name, bytes).ok());
  }
  std::string Read(const std::string& name) { return ReadFile(top_ + "/" + name).value(); }

  Uploaded UploadAll() {
    const absl::StatusOr<Uploaded> uploaded = UploadFolder(top_ + "/in", *store_);
    EXPECT_TRUE(uploaded.ok()) << uploaded.status();
    return uploaded.value();
  }

  void ExpectSame() {
    for (const char* name : {"big", "sub/small", "zeros", "empty"}) {
      EXPECT_EQ(Read(std::string("out/") + name), Read(std::string("in/") + name)) << name;
    }
    struct stat info;
    ASSERT_EQ(::stat((top_ + "/out/sub/small").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0750u);
    EXPECT_FALSE(fs::exists(top_ + "/out.tmp"));
  }

  const std::string top_ = testing::TempDir() + "/transfer." + std::to_string(::getpid());
  std::unique_ptr<LocalDir> inner_;
  std::unique_ptr<Watched> store_;
};

TEST_F(Transfer, ThereAndBackIsTheSame) {
  const Uploaded uploaded = UploadAll();
  EXPECT_EQ(uploaded.progress.files, 4);
  EXPECT_EQ(uploaded.progress.bytes_total, static_cast<int64_t>(7 * kChunkBytes + 17 + 5));
  EXPECT_EQ(uploaded.progress.bytes_done, uploaded.progress.bytes_total);
  EXPECT_EQ(uploaded.progress.chunks_total, 6);  // the four of zeros are one
  EXPECT_EQ(store_->puts, 6);
  const absl::StatusOr<Progress> progress = Download(*store_, uploaded.manifest, top_ + "/out/");
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->bytes_done, progress->bytes_total);
  EXPECT_EQ(progress->files, 4);
  ExpectSame();
}

TEST_F(Transfer, UnchangedChunksAreNotSentTwice) {
  const std::string first = UploadAll().manifest;
  store_->puts = 0;
  EXPECT_EQ(UploadAll().manifest, first);
  EXPECT_EQ(store_->puts, 0);
  std::string big = Read("in/big");
  big[kChunkBytes + 5] ^= 1;
  Write("in/big", big);
  const Uploaded changed = UploadAll();
  EXPECT_NE(changed.manifest, first);
  EXPECT_EQ(changed.progress.chunks_moved, 1);
  EXPECT_EQ(store_->puts, 1);
}

TEST_F(Transfer, AnUploadThatBrokeOffGoesOn) {
  store_->calls_left = 4;
  EXPECT_EQ(UploadFolder(top_ + "/in", *store_).status().code(), absl::StatusCode::kUnavailable);
  store_->calls_left = 1'000'000;
  store_->puts = 0;
  UploadAll();
  EXPECT_EQ(store_->puts, 2);
}

TEST_F(Transfer, ADownloadThatBrokeOffGoesOn) {
  const std::string manifest = UploadAll().manifest;
  store_->calls_left = 3;
  EXPECT_EQ(Download(*store_, manifest, top_ + "/out").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(fs::exists(top_ + "/out"));
  EXPECT_TRUE(fs::exists(top_ + "/out.tmp"));
  // What the earlier try left may be damaged, or not belong there at all.
  Write("out.tmp/stranger", "x");
  fs::create_directories(top_ + "/out.tmp/zeros");
  fs::create_symlink("/etc/passwd", top_ + "/out.tmp/empty2");
  store_->calls_left = 1'000'000;
  store_->gets = 0;
  ASSERT_TRUE(Download(*store_, manifest, top_ + "/out").ok());
  EXPECT_EQ(store_->gets, 3);
  ExpectSame();
  EXPECT_FALSE(fs::exists(top_ + "/out/stranger"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(top_ + "/out/empty2")));
}

TEST_F(Transfer, WhatLiesOnThisMachineIsNotFetched) {
  const std::string manifest = UploadAll().manifest;
  std::map<std::string, ChunkPlace> known;
  TransferOptions options;
  options.placed = [&](const std::vector<ChunkPlace>& places) {
    for (const ChunkPlace& place : places) known[place.digest] = place;
  };
  options.local = [&](const std::string& digest) -> std::optional<ChunkPlace> {
    const auto it = known.find(digest);
    if (it == known.end()) return std::nullopt;
    return it->second;
  };
  ASSERT_TRUE(Download(*store_, manifest, top_ + "/older", options).ok());
  EXPECT_EQ(store_->gets, 6);
  EXPECT_EQ(known.size(), 6u);
  store_->gets = 0;
  ASSERT_TRUE(Download(*store_, manifest, top_ + "/out", options).ok());
  EXPECT_EQ(store_->gets, 0);
  ExpectSame();
  // Bytes that changed, and a file that is gone, are fetched.
  fs::remove_all(top_ + "/out");
  fs::remove_all(top_ + "/older");
  for (auto& [digest, place] : known) place.file = top_ + "/older/big";
  std::string big = Read("in/big");
  big[1] ^= 1;
  fs::create_directories(top_ + "/older");
  Write("older/big", big);
  ASSERT_TRUE(Download(*store_, manifest, top_ + "/out", options).ok());
  EXPECT_EQ(store_->gets, 3);  // the first of big, small, zeros
  ExpectSame();
}

// Enough of them to go several at a time.
TEST_F(Transfer, ManySmallFilesGoThereAndBack) {
  for (int i = 0; i < 200; ++i) {
    Write(absl::StrCat("in/sub/", i), Bytes(100 + i, 50 + i));
  }
  TransferOptions options;
  std::vector<Progress> told;
  options.progress = [&told](const Progress& progress) { told.push_back(progress); };
  const absl::StatusOr<Uploaded> uploaded = UploadFolder(top_ + "/in", *store_, options);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(store_->puts, 206);
  EXPECT_EQ(told.back().bytes_done, told.back().bytes_total);
  EXPECT_EQ(told.back().chunks_moved, 206);
  told.clear();
  const absl::StatusOr<Progress> fetched =
      Download(*store_, uploaded->manifest, top_ + "/out", options);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->files, 204);
  EXPECT_EQ(told.back().bytes_done, fetched->bytes_total);
  ExpectSame();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(Read(absl::StrCat("out/sub/", i)), Bytes(100 + i, 50 + i)) << i;
  }
  // One failure ends it, and what had arrived is not fetched again.
  fs::remove_all(top_ + "/out");
  store_->calls_left = 100;
  EXPECT_EQ(Download(*store_, uploaded->manifest, top_ + "/out").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(fs::exists(top_ + "/out"));
  store_->calls_left = 1'000'000;
  store_->gets = 0;
  ASSERT_TRUE(Download(*store_, uploaded->manifest, top_ + "/out").ok());
  EXPECT_EQ(store_->gets, 106);
  ExpectSame();
}

TEST_F(Transfer, CancelEndsBothBetweenChunks) {
  int asked = 0;
  TransferOptions options;
  options.cancelled = [&asked] { return ++asked > 3; };
  EXPECT_EQ(UploadFolder(top_ + "/in", *store_, options).status().code(),
            absl::StatusCode::kCancelled);
  const std::string manifest = UploadAll().manifest;
  asked = 0;
  EXPECT_EQ(Download(*store_, manifest, top_ + "/out", options).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(top_ + "/out"));
  ASSERT_TRUE(Download(*store_, manifest, top_ + "/out").ok());
  ExpectSame();
}

TEST_F(Transfer, ProgressGrowsToTheWhole) {
  std::vector<int64_t> done;
  TransferOptions options;
  options.progress = [&done](const Progress& progress) { done.push_back(progress.bytes_done); };
  const absl::StatusOr<Uploaded> uploaded = UploadFolder(top_ + "/in", *store_, options);
  ASSERT_TRUE(uploaded.ok());
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.front(), 0);
  EXPECT_EQ(done.back(), uploaded->progress.bytes_total);
}

TEST_F(Transfer, AFlippedBitOnTheLineIsSeen) {
  const std::string manifest = UploadAll().manifest;
  store_->flip = true;
  EXPECT_EQ(Download(*store_, manifest, top_ + "/out").status().code(),
            absl::StatusCode::kDataLoss);
  store_->flip = false;
  store_->flip_manifest = true;
  EXPECT_EQ(Download(*store_, manifest, top_ + "/out").status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_FALSE(fs::exists(top_ + "/out"));
}

TEST_F(Transfer, AChunkOfAnotherLengthIsSeen) {
  const std::string digest = Sha256Hex("abc");
  ASSERT_TRUE(store_->PutChunk(digest, CompressChunk("abc")).ok());
  Manifest manifest;
  manifest.files = {{"a", 0644, 5, {digest}}};
  const std::string name = store_->PutManifest(SerializeManifest(manifest)).value();
  EXPECT_EQ(Download(*store_, name, top_ + "/out").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(Transfer, NeverWritesOverAFolder) {
  const std::string manifest = UploadAll().manifest;
  fs::create_directories(top_ + "/out");
  EXPECT_EQ(Download(*store_, manifest, top_ + "/out").status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(Transfer, RefusesLinksAndPipesInAFolder) {
  fs::create_symlink("/etc/passwd", top_ + "/in/link");
  const absl::Status link = UploadFolder(top_ + "/in", *store_).status();
  EXPECT_EQ(link.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(link.message()), testing::HasSubstr("/in/link is a symbolic link"));
  fs::remove(top_ + "/in/link");
  ASSERT_EQ(::mkfifo((top_ + "/in/pipe").c_str(), 0644), 0);
  EXPECT_EQ(UploadFolder(top_ + "/in", *store_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Transfer, UploadsAListUnderOtherNames) {
  const absl::StatusOr<Uploaded> uploaded =
      Upload({{"z/b", top_ + "/in/big"}, {"a", top_ + "/in/empty"}}, *store_);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  ASSERT_TRUE(Download(*store_, uploaded->manifest, top_ + "/out").ok());
  EXPECT_EQ(Read("out/z/b"), Read("in/big"));
  EXPECT_EQ(Upload({{"../b", top_ + "/in/big"}}, *store_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Upload({{"b", top_ + "/in/none"}}, *store_).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Upload({{"b", "/dev/zero"}}, *store_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Transfer, AFileThatChangesMeanwhileIsSeen) {
  int asked = 0;
  TransferOptions options;
  // All files have been read once when the first progress is told.
  options.progress = [&](const Progress&) {
    if (asked++ == 0) Write("in/big", Bytes(9, 3 * kChunkBytes + 17));
  };
  EXPECT_EQ(UploadFolder(top_ + "/in", *store_, options).status().code(),
            absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace baton::artifact
