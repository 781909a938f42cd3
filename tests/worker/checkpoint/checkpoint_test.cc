#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "common/artifact/local_dir.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "tests/worker/checkpoint/faulty_store.h"
#include "worker/checkpoint/artifact_cache.h"
#include "worker/checkpoint/uploader.h"
#include "worker/checkpoint/watcher.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

const TaskKey kKey{"job1", 1, 0, 7};
bool Never() { return false; }

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-checkpoint-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto store = artifact::LocalDir::Open(folder_ + "/blobs", {.free_percent_min = 0});
    ASSERT_TRUE(store.ok());
    under_ = *std::move(store);
    store_ = std::make_unique<FaultyStore>(*under_);
    fs::create_directory(folder_ + "/c");
    fs::create_directory(folder_ + "/cache");
    fs::create_directory(folder_ + "/output");
  }
  void TearDown() override {
    uploader_.reset();
    fs::remove_all(folder_);
  }

  void StartUploader() {
    uploader_ = std::make_unique<Uploader>(
        *store_, SystemClock(),
        UploadEvents{[this](const UploadedCheckpoint& checkpoint) {
                       std::lock_guard<std::mutex> lock(mutex_);
                       uploaded_.push_back(checkpoint);
                       changed_.notify_all();
                     },
                     [this](const TaskKey&, const UploadedOutput& output) {
                       std::lock_guard<std::mutex> lock(mutex_);
                       finished_.push_back(output);
                       changed_.notify_all();
                     },
                     [this](const TaskKey&, const std::string& text) {
                       std::lock_guard<std::mutex> lock(mutex_);
                       told_.push_back(text);
                       changed_.notify_all();
                     }});
  }

  // As a program does it: written beside, then renamed.
  FoundCheckpoint Write(const std::string& name, const std::string& meta,
                        const std::string& bytes = "weights") {
    const std::string path = folder_ + "/c/" + name;
    fs::create_directory(path + ".tmp");
    EXPECT_TRUE(WriteFileAtomically(path + ".tmp/w", bytes).ok());
    if (!meta.empty()) {
      EXPECT_TRUE(WriteFileAtomically(path + ".tmp/checkpoint.json", meta).ok());
    }
    fs::rename(path + ".tmp", path);
    return {name, path, 0, 1, "", false};
  }

  bool Await(size_t uploaded, size_t finished) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return uploaded_.size() >= uploaded && finished_.size() >= finished;
    });
  }

  bool AwaitTold(size_t told) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return told_.size() >= told; });
  }

  FinishUploads End(int64_t deadline_ms = 0, bool upload = true, bool patient = false) {
    return {folder_ + "/output", deadline_ms, upload, patient};
  }

  std::string folder_;
  std::unique_ptr<artifact::LocalDir> under_;
  std::unique_ptr<FaultyStore> store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<UploadedCheckpoint> uploaded_;
  std::vector<UploadedOutput> finished_;
  std::vector<std::string> told_;
  std::unique_ptr<Uploader> uploader_;
};

TEST_F(CheckpointTest, TheWatcherFindsWholeFoldersOnceInOrderOfSteps) {
  CheckpointWatcher watcher(folder_ + "/c");
  EXPECT_TRUE(watcher.Look(1).empty());
  fs::create_directory(folder_ + "/c/half.tmp");
  fs::create_directory(folder_ + "/c/.half");
  EXPECT_TRUE(watcher.Look(1).empty());
  Write("b", R"({"step":20})");
  Write("a", R"({"step":30})");
  const auto found = watcher.Look(5);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "b");
  EXPECT_EQ(found[0].step, 20);
  EXPECT_EQ(found[1].name, "a");
  EXPECT_EQ(found[0].taken_ms, 5);
  EXPECT_TRUE(watcher.Look(6).empty());
}

TEST_F(CheckpointTest, TheWatcherSaysWhatCanNotBeKeptOnceEach) {
  CheckpointWatcher watcher(folder_ + "/c");
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/c/file", "no folder").ok());
  Write("bad name!", "");
  fs::create_directory_symlink("/etc", folder_ + "/c/link");
  const auto found = watcher.Look(5);
  ASSERT_EQ(found.size(), 3u);
  for (const FoundCheckpoint& checkpoint : found) {
    EXPECT_TRUE(checkpoint.refused);
    EXPECT_EQ(checkpoint.problem,
              checkpoint.name == "bad name!"
                  ? "has a name that can't be kept: up to 128 letters, digits and .-_=+"
                  : "is no folder, and only folders are kept: put it into one");
  }
  EXPECT_TRUE(watcher.Look(6).empty());
}

TEST_F(CheckpointTest, AStepThatIsNoneIsTold) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"step":"x"})", "has a step that is no whole number from 0 on: \"x\""},
      {R"({"step":-3})", "has a step that is no whole number from 0 on: -3"},
      {R"({"step":1.5})", "has a step that is no whole number from 0 on: 1.5"},
      {R"({"step":18446744073709551615})",
       "has a step that is no whole number from 0 on: 18446744073709551615"},
      {R"({"step":)", "is no JSON object"},
      {R"({"world_size":2})", ""},
      {"", ""},
  };
  CheckpointWatcher watcher(folder_ + "/c");
  int number = 0;
  for (const auto& [meta, wrong] : cases) {
    Write("c" + std::to_string(++number), meta);
    const auto found = watcher.Look(number);
    ASSERT_EQ(found.size(), 1u) << meta;
    EXPECT_EQ(found[0].step, 0);
    EXPECT_FALSE(found[0].refused) << "it counts by the order of commits";
    EXPECT_EQ(found[0].problem,
              wrong.empty() ? "" : "counts as of an unknown step: its checkpoint.json " + wrong);
  }
}

TEST_F(CheckpointTest, ARefusedCheckpointIsToldByTheNameOfWhatIsWrong) {
  StartUploader();
  FoundCheckpoint link = Write("link", "");
  fs::create_symlink("/etc/passwd", link.folder + "/inner");
  FoundCheckpoint control = Write("control", "");
  std::ofstream(control.folder + "/a\nb") << "x";
  FoundCheckpoint bytes = Write("bytes", "");
  std::ofstream(bytes.folder + "/\xff\xfe") << "x";
  FoundCheckpoint empty = Write("empty", "");
  fs::remove(empty.folder + "/w");
  size_t told = 0;
  for (const FoundCheckpoint& checkpoint : {link, control, bytes, empty}) {
    uploader_->Add(kKey, checkpoint);
    ASSERT_TRUE(AwaitTold(++told)) << checkpoint.name;
  }
  EXPECT_TRUE(uploaded_.empty());
  const std::string c = folder_ + "/c/";
  EXPECT_EQ(told_[0], "checkpoint link is not kept: " + c +
                          "link/inner is a symbolic link; put the file itself there");
  const std::string name =
      " has a name that can't be stored (a control character, no UTF-8, or too "
      "long); rename it";
  EXPECT_EQ(told_[1], "checkpoint control is not kept: " + c + "control/a\\nb" + name);
  EXPECT_EQ(told_[2], "checkpoint bytes is not kept: " + c + "bytes/\\xff\\xfe" + name);
  EXPECT_EQ(told_[3],
            "checkpoint empty is not kept: it is empty; write into empty.tmp and rename it when it "
            "is whole");
}

TEST_F(CheckpointTest, CheckpointsComeBeforeTheEndAndOutputsWithIt) {
  StartUploader();
  uploader_->Add(kKey, Write("a", ""));
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/output/model", "m").ok());
  uploader_->Finish(kKey, End());
  ASSERT_TRUE(Await(1, 1));
  EXPECT_EQ(uploaded_[0].name, "a");
  EXPECT_TRUE(under_->GetManifest(uploaded_[0].manifest_digest).ok());
  EXPECT_TRUE(under_->GetManifest(finished_[0].digest).ok());
  EXPECT_EQ(finished_[0].bytes, 1);
}

TEST_F(CheckpointTest, ASchedulerThatIsAwayIsWaitedFor) {
  store_->away_for = 3;
  StartUploader();
  uploader_->Add(kKey, Write("a", ""));
  ASSERT_TRUE(Await(1, 0));
  EXPECT_EQ(store_->away_for, 0);
}

TEST_F(CheckpointTest, TheDeadlineCutsWhatIsNotUp) {
  store_->away_for = -1;
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/output/model", "m").ok());
  StartUploader();
  uploader_->Add(kKey, Write("a", ""));
  uploader_->Finish(kKey, End(SystemClock().UnixMillis() + 100));
  ASSERT_TRUE(Await(0, 1));
  EXPECT_TRUE(uploaded_.empty());
  EXPECT_EQ(finished_[0].error, "the outputs were not uploaded in time");
  EXPECT_EQ(finished_[0].digest, "");
}

TEST_F(CheckpointTest, WhatNobodyWantsIsNotUploaded) {
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/output/model", "m").ok());
  StartUploader();
  uploader_->Finish(kKey, End(0, false));
  ASSERT_TRUE(Await(0, 1));
  EXPECT_EQ(finished_[0].digest, "");
  EXPECT_EQ(store_->chunks_put, 0);
}

TEST_F(CheckpointTest, NoOutputIsNoArtifactAndALinkCostsOnlyItself) {
  StartUploader();
  uploader_->Finish(kKey, End());
  ASSERT_TRUE(Await(0, 1));
  EXPECT_EQ(finished_[0].digest, "");
  EXPECT_EQ(finished_[0].error, "");
  fs::create_symlink("/etc/passwd", folder_ + "/output/link");
  std::ofstream(folder_ + "/output/model") << "weights";
  TaskKey other = kKey;
  other.rank = 1;
  uploader_->Finish(other, End());
  ASSERT_TRUE(Await(0, 2));
  EXPECT_NE(finished_[1].digest, "");
  EXPECT_EQ(finished_[1].bytes, 7);
  EXPECT_EQ(finished_[1].error,
            "left out of the outputs: 'link' is a symbolic link; put the file itself there");
}

TEST_F(CheckpointTest, AnOutputWithAnOddNameCostsOnlyItself) {
  std::ofstream(folder_ + "/output/model") << "weights";
  std::ofstream(folder_ + "/output/a\tb") << "x";
  std::ofstream(folder_ + "/output/\xff") << "x";
  StartUploader();
  uploader_->Finish(kKey, End(0, true, true));
  ASSERT_TRUE(Await(0, 1));
  EXPECT_NE(finished_[0].digest, "");
  EXPECT_EQ(finished_[0].bytes, 7);
  EXPECT_FALSE(finished_[0].missing);
  EXPECT_NE(finished_[0].error.find("'a\\tb' has a name that can't be stored"), std::string::npos)
      << finished_[0].error;
  EXPECT_NE(finished_[0].error.find("'\\xff' has a name"), std::string::npos);
  EXPECT_EQ(told_, std::vector<std::string>{finished_[0].error});
}

TEST_F(CheckpointTest, OutputsOfASuccessAreTriedUntilTheStoreTakesThem) {
  store_->broken_for = 1;
  std::ofstream(folder_ + "/output/model") << "weights";
  StartUploader();
  uploader_->Finish(kKey, End(0, true, true));
  ASSERT_TRUE(Await(0, 1));
  EXPECT_NE(finished_[0].digest, "");
  EXPECT_EQ(finished_[0].error, "");
  EXPECT_EQ(told_,
            std::vector<std::string>{
                "the outputs are on this node only, and tried again: broken, says the test"});
}

TEST_F(CheckpointTest, OutputsThatTheStoreDoesNotTakeAreKeptAndMissing) {
  store_->broken_for = -1;
  std::ofstream(folder_ + "/output/model") << "weights";
  StartUploader();
  uploader_->Finish(kKey, End());
  TaskKey patient = kKey;
  patient.rank = 1;
  uploader_->Finish(patient, End(0, true, true));
  ASSERT_TRUE(Await(0, 1));
  EXPECT_EQ(finished_[0].error, "the outputs were not uploaded: broken, says the test");
  EXPECT_TRUE(finished_[0].missing && finished_[0].keep);
  ASSERT_TRUE(AwaitTold(1));
  uploader_->Finish(patient, End(0, false, true));
  ASSERT_TRUE(Await(0, 2));
  EXPECT_EQ(finished_[1].error, "the outputs were not uploaded in time: broken, says the test");
  EXPECT_TRUE(finished_[1].missing && finished_[1].keep);
}

TEST_F(CheckpointTest, OneTasksSlowLineDoesNotHoldTheEndOfAnother) {
  store_->away_for = -1;
  StartUploader();
  uploader_->Add(kKey, Write("a", ""));
  TaskKey other = kKey;
  other.rank = 1;
  uploader_->Finish(other, End());
  EXPECT_TRUE(Await(0, 1));
}

TEST_F(CheckpointTest, WithManyWaitingTheOldestArePassedOver) {
  store_->away_for = -1;
  StartUploader();
  for (int i = 0; i < 8; ++i) uploader_->Add(kKey, Write("c" + std::to_string(i), ""));
  store_->away_for = 0;
  uploader_->Finish(kKey, End());
  ASSERT_TRUE(Await(0, 1));
  EXPECT_LE(uploaded_.size(), 6u);
  EXPECT_EQ(uploaded_.back().name, "c7");
}

TEST_F(CheckpointTest, TheCacheFetchesOnceAndNoticesWhatATaskChanged) {
  Write("a", "", "the weights");
  const auto manifest = artifact::UploadFolder(folder_ + "/c/a", *under_);
  ASSERT_TRUE(manifest.ok());
  ArtifactCache cache({.folder = folder_ + "/cache"}, *store_);
  const auto path = cache.Acquire(manifest->manifest, Never);
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_EQ(*ReadFile(*path + "/w"), "the weights");
  cache.Release(manifest->manifest);
  store_->away_for = -1;
  ASSERT_TRUE(cache.Acquire(manifest->manifest, Never).ok()) << "without the store";
  cache.Release(manifest->manifest);
  store_->away_for = 0;
  EXPECT_TRUE(WriteFileAtomically(*path + "/w", "tampered!!!").ok());
  ASSERT_TRUE(cache.Acquire(manifest->manifest, Never).ok());
  EXPECT_EQ(*ReadFile(*path + "/w"), "the weights");
}

TEST_F(CheckpointTest, WhatAnOlderArtifactSharesIsNotFetchedAgain) {
  Write("a", "", "the weights");
  const auto older = artifact::UploadFolder(folder_ + "/c/a", *under_);
  ASSERT_TRUE(older.ok());
  Write("b", "", "the weights");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/c/b/new", "of this one alone").ok());
  const auto newer = artifact::UploadFolder(folder_ + "/c/b", *under_);
  ASSERT_TRUE(newer.ok());
  ArtifactCache cache({.folder = folder_ + "/cache"}, *store_);
  ASSERT_TRUE(cache.Acquire(older->manifest, Never).ok());
  store_->chunks_got = 0;
  const auto path = cache.Acquire(newer->manifest, Never);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(store_->chunks_got, 1);
  EXPECT_EQ(*ReadFile(*path + "/w"), "the weights");
}

TEST_F(CheckpointTest, DamageIsTriedOnceMoreThenReported) {
  Write("a", "");
  const auto manifest = artifact::UploadFolder(folder_ + "/c/a", *under_);
  ASSERT_TRUE(manifest.ok());
  ArtifactCache cache({.folder = folder_ + "/cache"}, *store_);
  store_->damage_for = 1000;
  EXPECT_TRUE(absl::IsDataLoss(cache.Acquire(manifest->manifest, Never).status()));
  store_->damage_for = 1;
  EXPECT_TRUE(cache.Acquire(manifest->manifest, Never).ok());
  EXPECT_TRUE(absl::IsNotFound(cache.Acquire(std::string(64, 'a'), Never).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(cache.Acquire("../x", Never).status()));
}

TEST_F(CheckpointTest, AFetchThatWaitsIsGivenUpWhenCancelled) {
  store_->away_for = -1;
  ArtifactCache cache({.folder = folder_ + "/cache"}, *store_);
  std::atomic<int> asked{0};
  const auto path = cache.Acquire(std::string(64, 'a'), [&] { return ++asked > 2; });
  EXPECT_TRUE(absl::IsCancelled(path.status()));
}

TEST_F(CheckpointTest, IdleArtifactsGoWhenTheyAreTooMany) {
  ArtifactCache cache({.folder = folder_ + "/cache", .idle_bytes_max = 150}, *store_);
  std::vector<std::string> digests;
  for (const char* name : {"a", "b"}) {
    Write(name, "", std::string(100, name[0]));
    const auto manifest = artifact::UploadFolder(folder_ + "/c/" + name, *under_);
    ASSERT_TRUE(manifest.ok());
    digests.push_back(manifest->manifest);
    ASSERT_TRUE(cache.Acquire(digests.back(), Never).ok());
  }
  cache.Release(digests[0]);
  EXPECT_TRUE(fs::exists(folder_ + "/cache/" + digests[0]));
  cache.Release(digests[1]);
  EXPECT_FALSE(fs::exists(folder_ + "/cache/" + digests[0])) << "the longest unused";
  EXPECT_TRUE(fs::exists(folder_ + "/cache/" + digests[1]));
}

}  // namespace
}  // namespace baton::worker
