// Preparations beside each other: real shell commands, a store in a folder.
#include "worker/preparer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "common/artifact/local_dir.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "tests/fakes/no_threads.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class NoIndex : public EnvironmentIndex {
 public:
  absl::StatusOr<std::string> Find(const std::string&) override {
    return absl::NotFoundError("none");
  }
  absl::Status Register(const std::string&, const std::string&) override {
    return absl::OkStatus();
  }
};

class PreparerTest : public testing::Test {
 protected:
  PreparerTest() : top_(testing::TempDir() + "/preparer." + std::to_string(::getpid())) {
    signal(SIGPIPE, SIG_IGN);
    fs::remove_all(top_);
    for (const char* name : {"/cache", "/environments", "/tasks"}) {
      fs::create_directories(top_ + name);
    }
    store_ = artifact::LocalDir::Open(top_ + "/store", {.free_percent_min = 0}).value();
    cache_ = std::make_unique<ArtifactCache>(CacheOptions{top_ + "/cache"}, *store_);
    data_ = std::make_unique<DataSets>(*cache_, top_ + "/parts", std::vector<std::string>{});
    EnvironmentsOptions options;
    options.root = top_ + "/environments";
    // No Python there: the commands alone make an environment.
    options.inherited = {"PATH=" + top_, "HOME=" + top_};
    environments_ = std::make_unique<Environments>(options, *store_, index_);
    PreparerOptions preparer{
        .task_folder = [this](const TaskKey& key) { return top_ + "/tasks/" + key.job; },
        .address = "127.0.0.1",
        .data = *data_,
        .environments = environments_.get(),
        .log = {.open = [this](const TaskKey& key, const std::string&) -> absl::StatusOr<int> {
                  return open((top_ + "/log-" + key.job).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC,
                              0600);
                },
                .finish = [](const TaskKey&) { return int64_t{0}; }}};
    preparer_ = std::make_unique<Preparer>(preparer, *cache_, clock_,
                                           [this](Event event) { Take(std::move(event)); });
  }
  ~PreparerTest() override {
    preparer_.reset();
    environments_.reset();
    fs::remove_all(top_);
  }

  void Prepare(const std::string& job, const std::string& command) {
    auto spec = std::make_shared<TaskSpec>();
    spec->command = {"true"};
    if (!command.empty()) spec->setup = {command};
    Wanted wanted;
    wanted.key.job = job;
    wanted.spec = spec;
    preparer_->Prepare(wanted);
  }

  static TaskKey Key(const std::string& job) {
    TaskKey key;
    key.job = job;
    return key;
  }

  // "prepared", or why it failed; empty: it did not end within 30 s.
  std::string EndOf(const std::string& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait_for(lock, seconds(30), [&] { return ends_.count(job) > 0; });
    return ends_[job];
  }

  bool BlamesNode(const std::string& job) {
    std::lock_guard<std::mutex> lock(mutex_);
    return by_node_.count(job) > 0;
  }

  bool WaitForLines(const std::string& file, size_t lines) {
    for (int i = 0; i < 3000; ++i) {
      const std::string text = ReadFile(top_ + file).value_or("");
      if (static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) >= lines) return true;
      usleep(10'000);
    }
    return false;
  }

  const std::string top_;

 private:
  void Take(Event event) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (const auto* done = std::get_if<TaskPrepared>(&event)) ends_[done->key.job] = "prepared";
    if (const auto* failed = std::get_if<TaskFailed>(&event)) {
      ends_[failed->key.job] = failed->error;
      if (failed->infrastructure) by_node_.insert(failed->key.job);
    }
    ended_.notify_all();
  }

  const Clock& clock_ = SystemClock();
  NoIndex index_;
  std::unique_ptr<artifact::LocalDir> store_;
  std::unique_ptr<ArtifactCache> cache_;
  std::unique_ptr<DataSets> data_;
  std::unique_ptr<Environments> environments_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable ended_;
  std::map<std::string, std::string> ends_;
  std::set<std::string> by_node_;

 protected:
  std::unique_ptr<Preparer> preparer_;
};

TEST_F(PreparerTest, LongSetupsHoldUpNoOtherTaskAndNoCancelAndNoRemoval) {
  constexpr int kSetups = 40;
  for (int i = 0; i < kSetups; ++i) {
    const std::string job = std::to_string(i);
    Prepare(job, "echo " + job + " >> " + top_ + "/begun; /bin/sleep 300");
  }
  ASSERT_TRUE(WaitForLines("/begun", kSetups)) << "all at once";
  Prepare("quick", "");
  EXPECT_EQ(EndOf("quick"), "prepared");
  ASSERT_TRUE(fs::exists(top_ + "/tasks/quick"));
  preparer_->Remove(Key("quick"));
  for (int i = 0; i < 3000 && fs::exists(top_ + "/tasks/quick"); ++i) usleep(10'000);
  EXPECT_FALSE(fs::exists(top_ + "/tasks/quick"));
  const auto began = std::chrono::steady_clock::now();
  preparer_->Cancel(Key("7"));
  EXPECT_EQ(EndOf("7"), "its environment: given up");
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(20)) << "not the sleep's end";
}

TEST_F(PreparerTest, OneThatWaitsForAnothersSetupGoesAtOnce) {
  const std::string command = "echo ran >> " + top_ + "/count; /bin/sleep 300";
  Prepare("makes", command);
  ASSERT_TRUE(WaitForLines("/count", 1));
  Prepare("waits", command);
  ASSERT_TRUE(WaitForLines("/log-waits", 1)) << "it says that another task is at it";
  preparer_->Cancel(Key("waits"));
  EXPECT_EQ(EndOf("waits"), "its environment: given up");
  preparer_->Cancel(Key("makes"));
  EXPECT_EQ(EndOf("makes"), "its environment: given up");
}

TEST_F(PreparerTest, WhereThreadsRunOutTheStartFailsByTheNodeAndTheWorkerGoesOn) {
  {
    const NoThreads none;
    Prepare("early", "echo ran");
    EXPECT_NE(EndOf("early").find("no thread more"), std::string::npos) << EndOf("early");
  }
  EXPECT_TRUE(BlamesNode("early"));
  Prepare("late", "echo ran");
  EXPECT_EQ(EndOf("late"), "prepared");
}

TEST_F(PreparerTest, WhatSeveralTasksWantIsMadeOnce) {
  const std::string command = "echo ran >> " + top_ + "/count; /bin/sleep 0.2";
  for (const char* job : {"a", "b", "c", "d"}) Prepare(job, command);
  for (const char* job : {"a", "b", "c", "d"}) EXPECT_EQ(EndOf(job), "prepared");
  EXPECT_EQ(ReadFile(top_ + "/count").value_or(""), "ran\n");
}

}  // namespace
}  // namespace baton::worker
