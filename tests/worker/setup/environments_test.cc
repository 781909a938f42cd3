// Whole environments of shell commands, on two nodes that share a store: real processes, real tar.
#include "worker/setup/environments.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/artifact/local_dir.h"
#include "common/atomic_file.h"
#include "tests/worker/checkpoint/faulty_store.h"
#include "worker/setup/archive.h"
#include "worker/setup/layout.h"
#include "worker/setup/relocate.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FakeIndex : public EnvironmentIndex {
 public:
  absl::StatusOr<std::string> Find(const std::string& key) override {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto at = manifests_.find(key);
    if (at == manifests_.end()) return absl::NotFoundError("none");
    return at->second;
  }
  absl::Status Register(const std::string& key, const std::string& manifest) override {
    if (away) return absl::UnavailableError("away");
    std::lock_guard<std::mutex> lock(mutex_);
    manifests_.emplace(key, manifest);
    return absl::OkStatus();
  }
  bool WaitForOne() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!manifests_.empty()) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void Clear() {
    std::lock_guard<std::mutex> lock(mutex_);
    manifests_.clear();
  }
  std::atomic<bool> away{false};
  void Point(const std::string& manifest) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [key, at] : manifests_) at = manifest;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> manifests_;
};

class EnvironmentsTest : public testing::Test {
 protected:
  EnvironmentsTest() : top_(testing::TempDir() + "/setup." + std::to_string(::getpid())) {
    signal(SIGPIPE, SIG_IGN);
    fs::remove_all(top_);
    fs::create_directories(top_ + "/package");
    store_ = artifact::LocalDir::Open(top_ + "/store", {.free_percent_min = 0}).value();
  }
  ~EnvironmentsTest() override { fs::remove_all(top_); }

  // A node with a root of its own, and no Python: the commands alone make the environment.
  std::unique_ptr<Environments> Node(const std::string& name,
                                     int64_t idle_bytes_max = int64_t{1} << 30) {
    EnvironmentsOptions options;
    options.idle_bytes_max = idle_bytes_max;
    options.root = top_ + "/" + name;
    fs::create_directories(options.root);
    fs::create_directories(top_ + "/bin");
    for (const char* tool : {"sh", "touch", "mkdir", "ls", "sleep", "cat"}) {
      std::error_code ignored;
      fs::create_symlink(std::string("/bin/") + tool, top_ + "/bin/" + tool, ignored);
    }
    options.inherited = {"PATH=" + top_ + "/bin", "HOME=" + home_};
    return std::make_unique<Environments>(options, *store_, index_);
  }

  EnvironmentRequest Request(const std::vector<std::string>& setup) {
    auto spec = std::make_shared<TaskSpec>();
    spec->command = {"true"};
    spec->setup = setup;
    EnvironmentRequest request;
    request.spec = spec;
    request.package = top_ + "/package";
    request.mark = "BATON_DEADLINE_FILE=" + top_ + "/tasks/deadline.json";
    request.cancelled = [this] { return cancelled_.load(); };
    request.output = [this](absl::string_view bytes) { log_.append(bytes.data(), bytes.size()); };
    request.say = [this](const std::string& text) { log_ += "[" + text + "]\n"; };
    return request;
  }

  static std::string FromOf(const PreparedEnvironment& prepared) {
    return nlohmann::json::parse(prepared.json)["from"];
  }
  std::string Counted() { return ReadFile(top_ + "/count").value_or(""); }

  const std::string top_;
  std::string home_ = top_;
  std::unique_ptr<artifact::LocalDir> store_;
  FakeIndex index_;
  std::atomic<bool> cancelled_{false};
  std::string log_;
};

TEST_F(EnvironmentsTest, ASetupRunsOnceAndAnotherNodeRestoresIt) {
  std::ofstream(top_ + "/package/train.py") << "1";
  std::ofstream(top_ + "/package/base.txt") << "old";
  const std::vector<std::string> setup = {
      "echo ran >> " + top_ + "/count",
      "mkdir -p $BATON_ENVIRONMENT_DIR/bin; echo \"#!$BATON_ENVIRONMENT_DIR/bin/x\" > "
      "$BATON_ENVIRONMENT_DIR/bin/tool; echo new > base.txt; mkdir ext; echo made > ext/lib"};
  const auto first = Node("one");
  auto made = first->Prepare(Request(setup));
  ASSERT_TRUE(made.ok()) << made.status() << log_;
  EXPECT_EQ(FromOf(*made), "built");
  EXPECT_THAT(log_, HasSubstr("[setup: echo ran"));
  auto again = first->Prepare(Request(setup));
  EXPECT_EQ(FromOf(*again), "cache");
  EXPECT_EQ(again->around.programs, made->around.programs);
  ASSERT_TRUE(index_.WaitForOne());

  const auto second = Node("two");
  const auto restored = second->Prepare(Request(setup));
  ASSERT_TRUE(restored.ok()) << restored.status() << log_;
  EXPECT_EQ(FromOf(*restored), "restored");
  EXPECT_EQ(Counted(), "ran\n");
  EXPECT_EQ(*ReadFile(restored->around.programs + "/tool"),
            "#!" + restored->around.programs + "/x\n")
      << "what names its own folder is rewritten";
  EXPECT_THAT(restored->around.programs, HasSubstr("/two/"));
  // What the setup did to its copy of the package, and nothing else of it.
  fs::create_directories(top_ + "/work");
  std::ofstream(top_ + "/work/base.txt") << "old";
  ASSERT_TRUE(LayOver(restored->folder, top_ + "/work", top_ + "/work").ok());
  EXPECT_EQ(*ReadFile(top_ + "/work/base.txt"), "old") << "a checkpoint's file is newer";
  ASSERT_TRUE(LayOver(restored->folder, top_ + "/work", "").ok());
  EXPECT_EQ(*ReadFile(top_ + "/work/base.txt"), "new\n");
  EXPECT_EQ(*ReadFile(top_ + "/work/ext/lib"), "made\n");
  EXPECT_FALSE(fs::exists(restored->folder + "/work/train.py"));
}

TEST_F(EnvironmentsTest, OneThatABinaryTiesToItsFolderIsMadeAnewElsewhere) {
  const std::vector<std::string> setup = {
      "echo ran >> " + top_ + "/count",
      "printf '\\0%s' $BATON_ENVIRONMENT_DIR > $BATON_ENVIRONMENT_DIR/lib.so"};
  ASSERT_TRUE(Node("one")->Prepare(Request(setup)).ok()) << log_;
  const auto kept = Node("one");
  ASSERT_EQ(FromOf(*kept->Prepare(Request(setup))), "cache");
  ASSERT_TRUE(index_.WaitForOne());
  EXPECT_EQ(FromOf(*Node("two")->Prepare(Request(setup))), "built");
  EXPECT_EQ(Counted(), "ran\nran\n");
  fs::remove_all(top_ + "/one");
  EXPECT_EQ(FromOf(*Node("one")->Prepare(Request(setup))), "restored") << "in the same folder";
}

TEST_F(EnvironmentsTest, WhatTheCommandsNameMakesAnotherOne) {
  std::ofstream(top_ + "/package/list.txt") << "a";
  std::ofstream(top_ + "/package/train.py") << "1";
  const std::vector<std::string> setup = {"cat list.txt >> " + top_ + "/count"};
  const auto node = Node("one");
  ASSERT_TRUE(node->Prepare(Request(setup)).ok()) << log_;
  std::ofstream(top_ + "/package/train.py") << "2";
  EXPECT_EQ(FromOf(*node->Prepare(Request(setup))), "cache");
  std::ofstream(top_ + "/package/list.txt") << "b";
  EXPECT_EQ(FromOf(*node->Prepare(Request(setup))), "built");
  EXPECT_EQ(Counted(), "ab");
}

TEST_F(EnvironmentsTest, WhatATaskLeavesAtOnceIsStoredNevertheless) {
  Node("one")->Prepare(Request({"echo ran >> " + top_ + "/count"})).value();
  // The worker ended before, or as it was being stored: the next one needs no task for it.
  for (const auto& entry : fs::directory_iterator(top_ + "/one")) {
    if (entry.path().extension() == ".stored") fs::remove(entry.path());
  }
  index_.Clear();
  const auto next = Node("one");
  EXPECT_TRUE(index_.WaitForOne());
  EXPECT_EQ(FromOf(*Node("two")->Prepare(Request({"echo ran >> " + top_ + "/count"}))), "restored");
}

// Else the room that idle ones may have would decide what is kept for other nodes.
TEST_F(EnvironmentsTest, OneThatIsStoredStaysUntilItIs) {
  const auto node = Node("one", 0);
  index_.away = true;
  const auto made = node->Prepare(Request({"echo ran >> " + top_ + "/count"}));
  ASSERT_TRUE(made.ok()) << made.status();
  node->Release(made->key);
  EXPECT_TRUE(fs::exists(made->folder));
  index_.away = false;
  ASSERT_TRUE(index_.WaitForOne());
  for (int i = 0; i < 1000 && fs::exists(made->folder); ++i) usleep(10'000);
  EXPECT_FALSE(fs::exists(made->folder)) << "there is no room for idle ones";
}

// A service's HOME; root may write everywhere, so that it is one that is not there.
TEST_F(EnvironmentsTest, InstallersHaveACacheWhereHomeIsNotForThem) {
  home_ = "/nonexistent/home";
  const auto made = Node("one")->Prepare(
      Request({"mkdir -p $XDG_CACHE_HOME/x; touch $XDG_CACHE_HOME/x/y; echo $CONDA_PKGS_DIRS"}));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(log_, HasSubstr("/cache/conda\n"));
  EXPECT_FALSE(fs::exists(made->folder + "/cache")) << "it is no part of the environment";
  home_ = top_;
  ASSERT_TRUE(Node("one")->Prepare(Request({"echo \"at home: ${XDG_CACHE_HOME:-}.\""})).ok());
  EXPECT_THAT(log_, HasSubstr("at home: .\n"));
}

TEST_F(EnvironmentsTest, OneThatLostWhatItSaysOfItselfIsMadeAnew) {
  const auto node = Node("one");
  const auto made = node->Prepare(Request({"echo ran >> " + top_ + "/count"}));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(index_.WaitForOne());
  node->Release(made->key);
  fs::remove(made->folder + "/about.json");
  const auto again = node->Prepare(Request({"echo ran >> " + top_ + "/count"}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(FromOf(*again), "restored");
  EXPECT_EQ(Counted(), "ran\n");
}

TEST_F(EnvironmentsTest, WhatTheNodeIsToBlameForIsNotTheJobs) {
  const auto killed = Node("one")->Prepare(Request({"kill -9 $$"}));
  EXPECT_TRUE(absl::IsUnavailable(killed.status())) << killed.status();
  EXPECT_THAT(std::string(killed.status().message()), HasSubstr("was killed by signal 9"));
  const auto unreached =
      Node("one")->Prepare(Request({"echo 'curl: (6) Could not resolve host: x'; exit 6"}));
  EXPECT_TRUE(absl::IsUnavailable(unreached.status())) << unreached.status();
}

TEST_F(EnvironmentsTest, AFailureIsTheProgramsAndLeavesNothing) {
  const auto node = Node("one");
  const auto failed = node->Prepare(Request({"echo first", "ls /nowhere"}));
  EXPECT_TRUE(absl::IsInvalidArgument(failed.status()));
  EXPECT_THAT(std::string(failed.status().message()),
              HasSubstr("`ls /nowhere` ended with code 2: "));
  EXPECT_THAT(log_, HasSubstr("first\n"));
  for (const auto& entry : fs::directory_iterator(top_ + "/one")) {
    ADD_FAILURE() << entry.path() << " is left";
  }
}

TEST_F(EnvironmentsTest, ACancelEndsTheCommand) {
  const auto node = Node("one");
  EnvironmentRequest request = Request({"echo up; sleep 100"});
  request.output = [this](absl::string_view) { cancelled_ = true; };
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsCancelled(node->Prepare(request).status()));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

TEST_F(EnvironmentsTest, AStoredOneThatIsDamagedIsMadeAnew) {
  const std::vector<std::string> setup = {"echo ran >> " + top_ + "/count"};
  const auto node = Node("one");
  ASSERT_TRUE(node->Prepare(Request(setup)).ok());
  ASSERT_TRUE(index_.WaitForOne());
  index_.Point(std::string(64, 'f'));
  EXPECT_EQ(FromOf(*Node("two")->Prepare(Request(setup))), "built");
}

TEST_F(EnvironmentsTest, NothingIsPreparedForWhoAsksForNothing) {
  EnvironmentRequest request = Request({});
  const auto prepared = Node("one")->Prepare(request);
  ASSERT_TRUE(prepared.ok());
  EXPECT_TRUE(prepared->json.empty() && prepared->around.programs.empty()) << "no Python either";
}

TEST_F(EnvironmentsTest, AnArchiveKeepsLinksTimesModesAndEmptyFolders) {
  const std::string from = top_ + "/from", to = top_ + "/to";
  fs::create_directories(from + "/empty");
  std::ofstream(from + "/big") << std::string(3'000'000, 'x');
  std::ofstream(from + "/tool") << "#!/bin/sh\n";
  fs::permissions(from + "/tool", fs::perms(0755));
  fs::create_symlink("tool", from + "/link");
  timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  utimensat(AT_FDCWD, (from + "/tool").c_str(), times, 0);
  FaultyStore store(*store_);
  const auto stored = StoreArchive(from, store, nullptr);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_GT(stored->bytes, 3'000'000);
  const int put = store.chunks_put;
  EXPECT_EQ(StoreArchive(from, store, nullptr)->manifest, stored->manifest);
  EXPECT_EQ(store.chunks_put, put) << "nothing is sent twice";
  ASSERT_TRUE(RestoreArchive(stored->manifest, store, to, nullptr).ok());
  EXPECT_TRUE(fs::is_directory(to + "/empty"));
  EXPECT_EQ(fs::read_symlink(to + "/link"), "tool");
  EXPECT_EQ(fs::file_size(to + "/big"), 3'000'000u);
  struct stat info {};
  ASSERT_EQ(stat((to + "/tool").c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(info.st_mode & 0777, 0755u);
  store.damage_for = 1;
  EXPECT_TRUE(absl::IsDataLoss(RestoreArchive(stored->manifest, store, top_ + "/bad", nullptr)));
  store.away_for = 1;
  EXPECT_TRUE(absl::IsUnavailable(StoreArchive(from, store, nullptr).status()));
}

TEST_F(EnvironmentsTest, WhatNamesItsFolderIsFoundAndRenamed) {
  const std::string folder = top_ + "/named";
  fs::create_directories(folder + "/bin");
  std::ofstream(folder + "/bin/tool") << "#!/old/place/bin/python3\nx\n";
  std::ofstream(folder + "/other") << "nothing\n";
  std::ofstream(folder + "/module.pyc") << std::string("\0/old/place", 11);
  fs::create_symlink("/old/place/bin/tool", folder + "/link");
  auto naming = FindNaming(folder, "/old/place");
  ASSERT_TRUE(naming.ok());
  EXPECT_THAT(naming->texts, testing::ElementsAre("bin/tool"));
  EXPECT_THAT(naming->links, testing::ElementsAre("link"));
  EXPECT_EQ(naming->binary, "");
  ASSERT_TRUE(WriteNaming(folder, *naming).ok());
  ASSERT_TRUE(Rename(folder, *ReadNaming(folder), "/old/place", "/new/and/longer").ok());
  EXPECT_EQ(*ReadFile(folder + "/bin/tool"), "#!/new/and/longer/bin/python3\nx\n");
  EXPECT_EQ(fs::read_symlink(folder + "/link"), "/new/and/longer/bin/tool");
  std::ofstream(folder + "/lib.so") << std::string("\0/old/place", 11);
  EXPECT_EQ(FindNaming(folder, "/old/place")->binary, "lib.so");
}

}  // namespace
}  // namespace baton::worker
