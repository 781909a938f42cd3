#include "trainer/metrics.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "common/atomic_file.h"
#include "common/contract.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

class FixedClock : public Clock {
 public:
  int64_t UnixMillis() const override { return 1700000000250; }
  int64_t MonotonicMillis() const override { return 1; }
};

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() : folder_(testing::TempDir() + "/metrics-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~MetricsTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  FixedClock clock_;
};

TEST_F(MetricsTest, LinesAreJsonAndARestartAppends) {
  const std::string path = folder_ + "/m";
  {
    auto metrics = *Metrics::Open(path, true, clock_);
    metrics->Step({3, 1, 0.5, 0.75, 1000, 0.1, 20, "images"});
    metrics->Tested(10, 1, {.count = 2000, .loss = 0.25, .accuracy = 0.5});
    metrics->Chained(10, "ab");
  }
  {
    auto metrics = *Metrics::Open(path, true, clock_);
    metrics->Resumed(10, 0.125);
    const Evaluation evaluation{.count = 2000, .loss = 0.25, .accuracy = 0.5};
    metrics->Finished(20, 2, "abc", &evaluation);
  }
  EXPECT_EQ(*ReadFile(path),
            R"({"step":3,"epoch":1,"loss":0.5,"accuracy":0.75,"images_per_s":1000.0,"lr":0.1,)"
            R"("steps_total":20,"time":1700000000.25})"
            "\n"
            R"({"step":10,"epoch":1,"test_loss":0.25,"test_accuracy":0.5,"test_count":2000,)"
            R"("time":1700000000.25})"
            "\n"
            R"({"step":10,"chain":"ab","time":1700000000.25})"
            "\n"
            R"({"event":"resumed","from_step":10,"restore_s":0.125,"time":1700000000.25})"
            "\n"
            R"({"event":"finished","step":20,"epoch":2,"chain":"abc","test_loss":0.25,)"
            R"("test_accuracy":0.5,"test_count":2000,"time":1700000000.25})"
            "\n");
}

TEST_F(MetricsTest, ARegressionHasItsErrorInPlaceOfAnAccuracy) {
  const std::string path = folder_ + "/m";
  auto metrics = *Metrics::Open(path, true, clock_);
  metrics->Step({3, 1, 0.5, std::nullopt, 1000, 0.1, 20, "samples"});
  metrics->Tested(10, 1, {.count = 20, .loss = 0.25, .rmse = 5.0});
  metrics->Tested(10, 1, {.count = 20, .loss = 0.25, .mae = 2.5});
  EXPECT_EQ(*ReadFile(path),
            R"({"step":3,"epoch":1,"loss":0.5,"samples_per_s":1000.0,"lr":0.1,)"
            R"("steps_total":20,"time":1700000000.25})"
            "\n"
            R"({"step":10,"epoch":1,"test_loss":0.25,"test_rmse":5.0,"test_count":20,)"
            R"("time":1700000000.25})"
            "\n"
            R"({"step":10,"epoch":1,"test_loss":0.25,"test_mae":2.5,"test_count":20,)"
            R"("time":1700000000.25})"
            "\n");
}

TEST_F(MetricsTest, ProgressIsOneRecordThatIsRewritten) {
  const std::string path = folder_ + "/m";
  auto metrics = *Metrics::Open(path, false, clock_);
  metrics->Progress(7, 0);
  metrics->Formed(3, 6);
  metrics->Progress(8, 5);
  const std::string bytes = *ReadFile(path + contract::kProgressSuffix);
  contract::Progress progress;
  ASSERT_EQ(bytes.size(), sizeof(progress));
  std::memcpy(&progress, bytes.data(), sizeof(progress));
  EXPECT_EQ(progress.step, 8);
  EXPECT_EQ(progress.unix_ms, 1700000000250);
  EXPECT_EQ(progress.save_wait_ms, 5);
  EXPECT_EQ(progress.generation, 3);
  EXPECT_EQ(progress.generation_step, 6);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(MetricsTest, WithoutAPathNothingIsWritten) {
  auto metrics = *Metrics::Open("", true, clock_);
  metrics->Progress(7, 0);
  metrics->Resumed(1, 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(MetricsTest, APathThatCannotBeMadeIsNamed) {
  const auto metrics = Metrics::Open(folder_ + "/none/m", true, clock_);
  EXPECT_NE(metrics.status().message().find("/none/m"), absl::string_view::npos);
}

// /dev/full takes nothing: the training goes on.
TEST_F(MetricsTest, AFullDiskIsSurvived) {
  std::filesystem::create_symlink("/dev/full", folder_ + "/m");
  auto metrics = *Metrics::Open(folder_ + "/m", true, clock_);
  metrics->Resumed(1, 1);
  metrics->Progress(1, 0);
  metrics->Resumed(2, 1);
}

}  // namespace
}  // namespace baton::trainer
