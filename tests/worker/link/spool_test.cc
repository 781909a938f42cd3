#include "worker/link/spool.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>

#include "worker/link/spool_file.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

const TaskKey kKey{"job1", 1, 0, 7};

// A scheduler that stores what it is sent, and acknowledges when told to.
class Receiver {
 public:
  bool Take(const Chunk& chunk) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (refusing_) return false;
    std::string& stream = streams_[chunk.metrics];
    if (stream.size() < chunk.offset + chunk.bytes.size()) {
      stream.resize(chunk.offset + chunk.bytes.size(), '?');
    }
    stream.replace(chunk.offset, chunk.bytes.size(), chunk.bytes);
    changed_.notify_all();
    return true;
  }
  void Refuse(bool refusing) {
    std::lock_guard<std::mutex> lock(mutex_);
    refusing_ = refusing;
  }
  bool Await(bool metrics, const std::function<bool(const std::string&)>& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return condition(streams_[metrics]); });
  }
  std::string Stream(bool metrics = false) {
    std::lock_guard<std::mutex> lock(mutex_);
    return streams_[metrics];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<bool, std::string> streams_;
  bool refusing_ = false;
};

class SpoolTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-spool-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    options_.folder = folder_;
  }
  void TearDown() override {
    spool_.reset();
    if (mounted_) umount(folder_.c_str());
    fs::remove_all(folder_);
  }

  void Open() {
    spool_.reset();
    auto made = Spool::Create(options_, [this](const Chunk& c) { return receiver_.Take(c); });
    ASSERT_TRUE(made.ok()) << made.status().message();
    spool_ = *std::move(made);
  }

  int Add() {
    const auto pipe = spool_->Add(kKey, folder_ + "/task-metrics.jsonl");
    EXPECT_TRUE(pipe.ok());
    return *pipe;
  }

  static void Print(int pipe, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = write(pipe, text.data() + at, text.size() - at);
      ASSERT_GT(n, 0) << strerror(errno);
      at += static_cast<size_t>(n);
    }
  }

  StreamEnds Finish() {
    std::promise<StreamEnds> ends;
    spool_->Finish(kKey, [&](StreamEnds e) { ends.set_value(e); });
    return ends.get_future().get();
  }

  static std::string Lines(int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
  }

  std::string folder_;
  bool mounted_ = false;
  SpoolOptions options_;
  Receiver receiver_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, LogAndMetricsArriveWholeAndLeaveNothing) {
  Open();
  spool_->SetConnected(true);
  const int pipe = Add();
  Print(pipe, Lines(0, 1000));
  std::ofstream(folder_ + "/task-metrics.jsonl") << "{\"step\":1}\n";
  close(pipe);
  const StreamEnds ends = Finish();
  EXPECT_EQ(ends.log_bytes, static_cast<int64_t>(Lines(0, 1000).size()));
  EXPECT_EQ(ends.metrics_bytes, 11);
  EXPECT_TRUE(receiver_.Await(false, [](const std::string& s) { return s == Lines(0, 1000); }));
  EXPECT_TRUE(receiver_.Await(true, [](const std::string& s) { return s == "{\"step\":1}\n"; }));
  EXPECT_GT(spool_->Unacked(), 0);
  spool_->Acknowledge(kKey, false, ends.log_bytes);
  spool_->Acknowledge(kKey, true, ends.metrics_bytes);
  spool_.reset();
  Open();
  EXPECT_EQ(spool_->Unacked(), 0);
}

TEST_F(SpoolTest, TheWorkersOwnWordsStandOnLinesOfTheirOwn) {
  Open();
  spool_->SetConnected(true);
  const int pipe = Add();
  Print(pipe, "half a line");
  spool_->Say(kKey, "checkpoint a is not kept");
  Print(pipe, "\nlast words\n \n");
  close(pipe);
  EXPECT_EQ(Finish().last_line, "last words");
  spool_->Say(kKey, "too late");
  EXPECT_TRUE(receiver_.Await(false, [](const std::string& s) {
    return s == "half a line\n[baton: checkpoint a is not kept]\n\nlast words\n \n";
  }));
}

TEST_F(SpoolTest, ATaskThatPrintsNothingMakesNoFile) {
  Open();
  close(Add());
  EXPECT_EQ(Finish().log_bytes, 0);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SpoolTest, ANewConnectionRepeatsWhatWasNotAcknowledged) {
  Open();
  spool_->SetConnected(true);
  const int pipe = Add();
  Print(pipe, "0123456789");
  ASSERT_TRUE(receiver_.Await(false, [](const std::string& s) { return s.size() == 10; }));
  spool_->Acknowledge(kKey, false, 4);
  spool_->SetConnected(false);
  Print(pipe, "abc");
  spool_->SetConnected(true);
  EXPECT_TRUE(receiver_.Await(false, [](const std::string& s) { return s == "0123456789abc"; }));
  close(pipe);
}

TEST_F(SpoolTest, TheNextWorkerSendsWhatTheDeadOneHad) {
  Open();
  const int pipe = Add();
  Print(pipe, "last words\n");
  while (spool_->Unacked() < 11) std::this_thread::yield();
  spool_.reset();
  close(pipe);
  Open();
  spool_->SetConnected(true);
  EXPECT_TRUE(receiver_.Await(false, [](const std::string& s) { return s == "last words\n"; }));
}

TEST_F(SpoolTest, AFullLineHoldsBackAndGoesOnWhenWoken) {
  Open();
  receiver_.Refuse(true);
  spool_->SetConnected(true);
  const int pipe = Add();
  Print(pipe, "text");
  while (spool_->Unacked() < 4) std::this_thread::yield();
  EXPECT_EQ(receiver_.Stream(), "");
  receiver_.Refuse(false);
  spool_->Wake();
  EXPECT_TRUE(receiver_.Await(false, [](const std::string& s) { return s == "text"; }));
  close(pipe);
}

TEST_F(SpoolTest, WithoutASchedulerALimitCutsAndAMarkerSaysSo) {
  options_.bytes_max = 100'000;
  Open();
  const int pipe = Add();
  Print(pipe, std::string(2'000'000, 'x'));  // the writer is not held up
  close(pipe);
  const StreamEnds ends = Finish();
  EXPECT_LT(ends.log_bytes, 110'000);
  spool_->SetConnected(true);
  ASSERT_TRUE(receiver_.Await(false, [&](const std::string& s) {
    return static_cast<int64_t>(s.size()) == ends.log_bytes;
  }));
  const std::string log = receiver_.Stream();
  EXPECT_NE(log.find("bytes of output were lost here: the spool was full]\n"), std::string::npos);
  EXPECT_EQ(log.find('?'), std::string::npos);
}

TEST_F(SpoolTest, WithASchedulerAFastTaskIsHeldBackAndLosesNothing) {
  options_.stream_bytes_max = 100'000;
  options_.window_bytes = 50'000;
  Open();
  spool_->SetConnected(true);
  const int pipe = Add();
  const std::string text = Lines(0, 200'000);
  std::thread writer([&] {
    Print(pipe, text);
    close(pipe);
  });
  size_t most = 0;
  while (receiver_.Stream().size() < text.size()) {
    most = std::max<size_t>(most, static_cast<size_t>(spool_->Unacked()));
    spool_->Acknowledge(kKey, false, static_cast<int64_t>(receiver_.Stream().size()));
  }
  writer.join();
  EXPECT_EQ(receiver_.Stream(), text);
  EXPECT_LT(most, 100'000u + 17 * 65'536u);
}

TEST_F(SpoolTest, AFullDiskLosesOutputButStopsNobody) {
  ASSERT_EQ(mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=256k"), 0)
      << strerror(errno) << ": this test mounts a small tmpfs and must run as root";
  mounted_ = true;
  Open();
  const int pipe = Add();
  Print(pipe, std::string(3'000'000, 'y'));
  while (spool_->Unacked() < 100'000) std::this_thread::yield();
  spool_->SetConnected(true);
  ASSERT_TRUE(receiver_.Await(false, [](const std::string& s) { return s.size() > 100'000; }));
  // What is acknowledged makes room; the marker comes with the next output.
  while (spool_->Unacked() > 0) {
    spool_->Acknowledge(kKey, false, static_cast<int64_t>(receiver_.Stream().size()));
    std::this_thread::yield();
  }
  Print(pipe, "after\n");
  close(pipe);
  const StreamEnds ends = Finish();
  EXPECT_LT(ends.log_bytes, 400'000);
  ASSERT_TRUE(receiver_.Await(false, [&](const std::string& s) {
    return static_cast<int64_t>(s.size()) == ends.log_bytes;
  }));
  const std::string log = receiver_.Stream();
  EXPECT_NE(log.find("the spool was full]\nafter\n"), std::string::npos)
      << log.substr(log.size() - 200);
}

TEST(SpoolFile, AcknowledgedBytesGoBackToTheDiskAndOffsetsStay) {
  char name[] = "/tmp/baton-spool-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string path = std::string(name) + "/" + SpoolName(kKey, false);
  {
    SpoolFile file(path, {.releases = true});
    file.Append(std::string(3 << 20, 'a'));
    file.Append("tail");
    file.Acknowledge(3 << 20);
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_LT(info.st_blocks * 512, 1 << 20);
    EXPECT_EQ(*file.Read(3 << 20, 100), "tail");
  }
  SpoolFile again(path, {.releases = true});
  EXPECT_EQ(again.acked(), 3 << 20);
  EXPECT_EQ(again.size(), (3 << 20) + 4);
  EXPECT_EQ(*again.Read(again.acked(), 100), "tail");
  fs::remove_all(name);
}

TEST(SpoolFile, NamesSurviveParsing) {
  TaskKey key;
  bool metrics = false;
  ASSERT_TRUE(ParseSpoolName(SpoolName(kKey, true), key, metrics));
  EXPECT_EQ(key, kKey);
  EXPECT_TRUE(metrics);
  for (const char* name : {"", "x", "job.1.0.7.txt", "job.1.x.7.log", ".1.0.7.log",
                           "job.1.0.7.log.acked", "job.1.0.99999999999999999999.log"}) {
    EXPECT_FALSE(ParseSpoolName(name, key, metrics)) << name;
  }
}

}  // namespace
}  // namespace baton::worker
