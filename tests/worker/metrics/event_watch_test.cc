#include "worker/metrics/event_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class EventWatchTest : public testing::Test {
 protected:
  EventWatchTest() {
    top_ = absl::StrCat(testing::TempDir(), "/",
                        testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(top_);
    fs::create_directories(top_ + "/work");
  }

  void Put(const std::string& kind, const std::string& to) {
    const std::string path = absl::StrCat(top_, "/work/", to);
    fs::create_directories(fs::path(path).parent_path());
    fs::copy_file(absl::StrCat(EVENTS, "/", kind, ".tfevents"), path);
  }

  std::string MetricsFile() const { return top_ + "/metrics.jsonl"; }

  std::vector<json> Lines() const {
    std::ifstream file(MetricsFile());
    std::vector<json> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
    return lines;
  }

  // Names of all values, and of each how many.
  std::map<std::string, int> Names() const {
    std::map<std::string, int> names;
    for (const json& line : Lines()) {
      for (const auto& [name, value] : line.items()) {
        if (name != "step" && name != "time") ++names[name];
      }
    }
    return names;
  }

  void Make() {
    metrics_ = std::make_shared<MetricsAppender>(MetricsFile());
    EventWatchOptions options;
    options.folders = {top_ + "/work"};
    options.metrics = metrics_;
    options.program = std::make_shared<ProgramFile>(top_ + "/program.jsonl");
    options.problem = [this](const std::string& text) { problems_.push_back(text); };
    watch_ = std::make_unique<EventWatch>(options, SystemClock());
  }

  std::string top_;
  std::shared_ptr<MetricsAppender> metrics_;
  std::vector<std::string> problems_;
  std::unique_ptr<EventWatch> watch_;
};

TEST_F(EventWatchTest, ScalarsOfOneStepAreOneLine) {
  Make();
  Put("torch", "runs/now/events.out.tfevents.1.host.2.0");
  watch_->End();
  const std::vector<json> lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1]["step"], 1);
  EXPECT_EQ(lines[1]["loss/train"], 0.5);
  EXPECT_FLOAT_EQ(lines[1]["accuracy"], 0.6F);
  EXPECT_GT(lines[1]["time"], 1.7e9);
  EXPECT_TRUE(problems_.empty());
}

TEST_F(EventWatchTest, FoldersBesideEachOtherTellTheirTagsApart) {
  Make();
  Put("tensorboard", "logs/train/events.out.tfevents.1.v2");
  Put("tensorboard", "logs/validation/events.out.tfevents.1.v2");
  Put("torch", "runs/a/events.out.tfevents.1");
  Put("torch", "runs/a/loss_slow/events.out.tfevents.1");  // as add_scalars has it
  watch_->End();
  std::set<std::string> names;
  for (const auto& [name, count] : Names()) names.insert(name);
  EXPECT_THAT(names,
              UnorderedElementsAre("train/epoch_loss", "validation/epoch_loss", "loss/train",
                                   "accuracy", "loss_slow/loss/train", "loss_slow/accuracy"));
}

TEST_F(EventWatchTest, WhatACheckpointHasBroughtBackIsNotToldAgain) {
  Put("torch", "lightning_logs/events.out.tfevents.1");
  Make();
  Put("tensorboard", "lightning_logs/events.out.tfevents.2");
  watch_->End();
  EXPECT_THAT(Names(), ElementsAre(std::pair<const std::string, int>("epoch_loss", 3)));
}

TEST_F(EventWatchTest, AProgramThatWritesItsMetricsItselfIsLeftAlone) {
  Make();
  std::ofstream(top_ + "/program.jsonl") << "{\"step\":1,\"loss\":2}\n";
  Put("torch", "events.out.tfevents.1");
  watch_->End();
  EXPECT_THAT(Names(), testing::IsEmpty()) << "its own lines are copied, and the same numbers once";
}

TEST_F(EventWatchTest, AFileOfThatNameThatIsNoneIsTold) {
  Make();
  std::ofstream(top_ + "/work/my.tfevents.txt") << "notes about my events, which are many\n";
  Put("torch", "events.out.tfevents.1");
  watch_->End();
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_THAT(problems_[0], HasSubstr("my.tfevents.txt is not read any further"));
  EXPECT_EQ(Names()["accuracy"], 3);
}

TEST_F(EventWatchTest, NothingIsReadThroughALink) {
  Make();
  Put("torch", "../elsewhere/events.out.tfevents.1");
  fs::create_directory_symlink(top_ + "/elsewhere", top_ + "/work/link");
  fs::create_symlink(top_ + "/elsewhere/events.out.tfevents.1",
                     top_ + "/work/events.out.tfevents.1");
  watch_->End();
  EXPECT_TRUE(Lines().empty());
}

}  // namespace
}  // namespace baton::worker
