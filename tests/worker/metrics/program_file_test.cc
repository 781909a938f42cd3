#include "worker/metrics/program_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/atomic_file.h"

namespace baton::worker {
namespace {

class ProgramFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/program_file";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  std::string own() const { return folder_ + "/own"; }
  std::string Copied() const { return ReadFile(folder_ + "/all").value_or(""); }
  void Write(const std::string& text, std::ios::openmode how = std::ios::app) {
    std::ofstream(own(), how) << text;
  }

  std::string folder_;
};

TEST_F(ProgramFileTest, WholeLinesGoBesideThoseOfOthers) {
  MetricsAppender all(folder_ + "/all");
  ProgramFile program(own());
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  EXPECT_FALSE(program.HasBegun());
  Write("one\ntw");
  EXPECT_TRUE(program.HasBegun());
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  all.Append("card\n");
  EXPECT_EQ(Copied(), "one\ncard\n");
  Write("o\nthree");
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  program.CopyTo(all, ProgramFile::Writer::kEnded);
  program.CopyTo(all, ProgramFile::Writer::kEnded);
  EXPECT_EQ(Copied(), "one\ncard\ntwo\nthree\n");
}

TEST_F(ProgramFileTest, AProgramMayBeginItsFileAnew) {
  MetricsAppender all(folder_ + "/all");
  ProgramFile program(own());
  Write("first\nsecond\n");
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  Write("again\n", std::ios::trunc);
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  EXPECT_EQ(Copied(), "first\nsecond\nagain\n");
}

TEST_F(ProgramFileTest, AProgramMayWriteAllItsLinesAgainWithTheNewOnes) {
  MetricsAppender all(folder_ + "/all");
  ProgramFile program(own());
  Write("one\ntwo\n");
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  // Looked at in the middle of that.
  Write("one\n", std::ios::trunc);
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  Write("two\nthree\n");
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  EXPECT_EQ(Copied(), "one\ntwo\nthree\n");
  Write("one\ntwo\nthree\nfour\n", std::ios::trunc);
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  program.CopyTo(all, ProgramFile::Writer::kEnded);
  EXPECT_EQ(Copied(), "one\ntwo\nthree\nfour\n");
}

TEST_F(ProgramFileTest, AnotherFileIsReadFromItsBeginningThoughItIsLonger) {
  MetricsAppender all(folder_ + "/all");
  ProgramFile program(own());
  Write("one\ntwo\n");
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  Write("one\nTWO\nthree\n", std::ios::trunc);
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  EXPECT_EQ(Copied(), "one\ntwo\nTWO\nthree\n");
}

// It is killed before, in the middle of, or after the write that it has announced.
TEST_F(ProgramFileTest, AKilledWorkersLastLinesAreThereOnce) {
  for (const char* appended : {"", "tw", "two\n", "two\ncard\n"}) {
    SetUp();
    MetricsAppender all(folder_ + "/all");
    Write("one\n");
    ProgramFile(own()).CopyTo(all, ProgramFile::Writer::kRuns);
    Write("two\n");
    std::ofstream(own() + ".taken") << "4 8 4 4\n";
    std::ofstream(folder_ + "/all", std::ios::app) << appended;
    ProgramFile(own()).CopyTo(all, ProgramFile::Writer::kEnded);
    EXPECT_EQ(Copied().substr(0, 8), "one\ntwo\n") << appended;
    EXPECT_EQ(Copied().find("two", 8), std::string::npos) << Copied();
  }
}

TEST_F(ProgramFileTest, TheNextWorkerGoesOnWhereAKilledOneStood) {
  MetricsAppender all(folder_ + "/all");
  Write("one\n");
  ProgramFile(own()).CopyTo(all, ProgramFile::Writer::kRuns);
  Write("two\nthr");
  ProgramFile(own()).CopyTo(all, ProgramFile::Writer::kEnded);
  EXPECT_EQ(Copied(), "one\ntwo\nthr\n");
}

TEST_F(ProgramFileTest, ALongLineWithoutAnEndIsNotWaitedFor) {
  MetricsAppender all(folder_ + "/all");
  ProgramFile program(own());
  const std::string line(5 << 20, 'x');
  Write(line);
  program.CopyTo(all, ProgramFile::Writer::kRuns);
  EXPECT_EQ(Copied().size(), size_t{4} << 20);
  program.CopyTo(all, ProgramFile::Writer::kEnded);
  EXPECT_EQ(Copied(), line + "\n");
}

}  // namespace
}  // namespace baton::worker
