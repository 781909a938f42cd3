#include "worker/checkpoint/file_checkpoints.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "common/atomic_file.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

class FileCheckpointsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-files-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    fs::create_directories(work("out"));
    fs::create_directory(folder_ + "/copies");
  }
  void TearDown() override {
    watched_.reset();
    fs::remove_all(folder_);
  }

  std::string work(const std::string& path) const { return folder_ + "/work/" + path; }

  void Write(const std::string& path, const std::string& text) const {
    std::ofstream(work(path)) << text;
  }

  void Watch(std::vector<std::string> globs, bool needs_known_file = false) {
    watched_ = std::make_unique<FileCheckpoints>(
        FileCheckpointOptions{folder_ + "/work", folder_ + "/copies", std::move(globs),
                              "files.1.0.", last_, needs_known_file},
        SystemClock(),
        FileCheckpointEvents{[this](const FoundCheckpoint& found) {
                               std::lock_guard<std::mutex> lock(mutex_);
                               found_.push_back(found);
                               changed_.notify_all();
                             },
                             [this](const std::string& text) {
                               std::lock_guard<std::mutex> lock(mutex_);
                               problems_.push_back(text);
                             },
                             [this] {
                               std::lock_guard<std::mutex> lock(mutex_);
                               return written_;
                             }});
  }

  bool Await(size_t found) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return found_.size() >= found; });
  }

  void End(TaskEnd end) {
    watched_->End(end, [this] {
      std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
      changed_.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return done_; }));
  }

  std::string Kept(size_t number, const std::string& path) const {
    const auto text = ReadFile(found_[number].folder + "/" + path);
    return text.ok() ? *text : "none";
  }

  std::string folder_;
  std::string last_;  // set before Watch
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FoundCheckpoint> found_;
  std::vector<std::string> problems_;
  std::set<uint64_t> written_;
  bool done_ = false;
  std::unique_ptr<FileCheckpoints> watched_;
};

TEST_F(FileCheckpointsTest, ASetHasTheNewestOfEachFileAndIsACopy) {
  Write("out/of_package.txt", "old");
  Write("train.py", "code");
  Watch({"out/**"});
  Write("out/a.txt", "first");
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(found_[0].name, "files.1.0.1");
  EXPECT_EQ(found_[0].folder, folder_ + "/copies/files.1.0.1");
  EXPECT_EQ(Kept(0, "out/a.txt"), "first");
  EXPECT_EQ(Kept(0, "out/of_package.txt"), "old");
  EXPECT_EQ(Kept(0, "train.py"), "none");
  Write("out/a.txt", "second");
  ASSERT_TRUE(Await(2));
  EXPECT_EQ(Kept(0, "out/a.txt"), "first") << "it may be on its way still";
  EXPECT_EQ(Kept(1, "out/a.txt"), "second");
  struct stat first {};
  struct stat second {};
  ASSERT_EQ(stat((found_[0].folder + "/out/of_package.txt").c_str(), &first), 0);
  ASSERT_EQ(stat((found_[1].folder + "/out/of_package.txt").c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino) << "what did not change takes no more room";
  End(TaskEnd::kByItself);
  EXPECT_EQ(found_.size(), 2u);
}

TEST_F(FileCheckpointsTest, TheEndTakesWhatWasWrittenLast) {
  Watch({"*.txt"});
  Write("last.txt", "x");
  End(TaskEnd::kByItself);
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(Kept(0, "last.txt"), "x");
}

TEST_F(FileCheckpointsTest, AKillLeavesNoHalfFile) {
  Watch({"*"});
  Write("half.pt", "PK\x03\x04 and no more");
  Write("half.bin", "who knows");
  End(TaskEnd::kKilled);
  EXPECT_TRUE(found_.empty());
  EXPECT_EQ(problems_,
            (std::vector<std::string>{
                "'half.bin' is not kept as a checkpoint: it was changed just before the program "
                "was killed",
                "'half.pt' is not kept as a checkpoint: it is a zip archive without its end"}));
  EXPECT_TRUE(fs::is_empty(folder_ + "/copies"));
}

TEST_F(FileCheckpointsTest, AFileThatIsOpenIsNotTaken) {
  Write("log.txt", "");
  struct stat info {};
  ASSERT_EQ(stat(work("log.txt").c_str(), &info), 0);
  written_.insert(info.st_ino);
  Watch({"*.txt"});
  Write("log.txt", "line");
  Write("a.txt", "x");
  ASSERT_TRUE(Await(1)) << "after its patience";
  EXPECT_EQ(Kept(0, "a.txt"), "x");
  EXPECT_EQ(Kept(0, "log.txt"), "none");
  End(TaskEnd::kByItself);
  ASSERT_EQ(found_.size(), 2u);
  EXPECT_EQ(Kept(1, "log.txt"), "line");
}

TEST_F(FileCheckpointsTest, LinksAreNotFollowed) {
  Watch({"**"});
  fs::create_symlink("/etc/passwd", work("out/link"));
  fs::create_directory_symlink("/etc", work("etc"));
  ASSERT_EQ(mkfifo(work("pipe").c_str(), 0600), 0);
  Write("a.txt", "x");
  End(TaskEnd::kByItself);
  ASSERT_EQ(found_.size(), 1u);
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(found_[0].folder)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1u);
}

TEST_F(FileCheckpointsTest, SettingsThatAreWrittenAnewAreNoNews) {
  Write("out/settings.yaml", "lr: 1");
  fs::create_directories(folder_ + "/before/out");
  fs::copy_file(work("out/settings.yaml"), folder_ + "/before/out/settings.yaml");
  last_ = folder_ + "/before";
  Watch({"out/**"});
  fs::remove(work("out/settings.yaml"));
  Write("out/settings.yaml", "lr: 1");
  End(TaskEnd::kByItself);
  EXPECT_TRUE(found_.empty());
}

TEST_F(FileCheckpointsTest, AProgramThatFailsMakesNoProgressByItsLogs) {
  Watch({"**"});
  Write("run.log", "x");
  End(TaskEnd::kFailed);
  EXPECT_TRUE(found_.empty());
}

TEST_F(FileCheckpointsTest, ARankThatKeepsNoModelHasNoCheckpoint) {
  Watch({"**"}, true);
  Write("rank1.log", "x");
  End(TaskEnd::kByItself);
  EXPECT_TRUE(found_.empty());
}

}  // namespace
}  // namespace baton::worker
