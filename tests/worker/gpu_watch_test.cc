// What the cards of a task do, as the lines say it, from a fake driver's library.
#include "worker/gpu_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "worker/task/process_tree.h"

namespace baton::worker {
namespace {

class FixedClock : public Clock {
 public:
  int64_t UnixMillis() const override { return 1'700'000'000'500; }
  int64_t MonotonicMillis() const override { return steady_ms; }
  int64_t steady_ms = 1000;
};

void Say(const std::string& text) {
  const std::string path = testing::TempDir() + "/gpu_watch_test.txt";
  std::ofstream(path) << text;
  ::setenv("BATON_FAKE_NVML", path.c_str(), 1);
}

std::vector<nlohmann::json> Parsed(const std::string& lines) {
  std::vector<nlohmann::json> parsed;
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    parsed.push_back(nlohmann::json::parse(line.begin(), line.end()));
  }
  return parsed;
}

TEST(GpuWatch, TellsOfTheTasksCardsAlone) {
  Say("cards = 3\n0.utilization = 99\n1.utilization = 10\n1.memory_total = 500\n"
      "1.memory_used = 70\n1.power = 250000\n1.celsius = 60\n2.utilization = 30\n");
  const auto nvml = Nvml::Open(FAKE_NVML);
  ASSERT_TRUE(nvml.ok()) << nvml.status();
  FixedClock clock;
  UtilizationMean mean;
  const CardTask task{{"job", 1, 0, 7}, nullptr, {1, 2}, 42, ""};
  auto lines = Parsed(CardLines(**nvml, "w1", task, clock, &mean));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], (nlohmann::json{{"step", 42},
                                      {"time", 1'700'000'000.5},
                                      {"node", "w1"},
                                      {"gpu", 1},
                                      {"gpu_utilization", 0.1},
                                      {"gpu_memory_bytes", 70},
                                      {"gpu_memory_total_bytes", 500},
                                      {"gpu_power_watts", 250.0},
                                      {"gpu_celsius", 60.0},
                                      {"gpu_utilization_mean", 0.2},
                                      {"gpu_mean_s", 0.0}}));
  EXPECT_EQ(lines[1]["gpu"], 2);
  EXPECT_FALSE(lines[1].contains("gpu_power_watts"));

  clock.steady_ms += 100'000;
  Say("cards = 3\n1.utilization = 70\n2.utilization = 90\n");
  lines = Parsed(CardLines(**nvml, "w1", task, clock, &mean));
  EXPECT_DOUBLE_EQ(lines[0]["gpu_utilization_mean"], 0.5);
  EXPECT_EQ(lines[0]["gpu_mean_s"], 100);
}

// A process with `variable` in its environment, until the end of the scope.
class Marked {
 public:
  explicit Marked(std::string variable) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      char* const environment[] = {variable.data(), nullptr};
      char* const words[] = {const_cast<char*>("sleep"), const_cast<char*>("100"), nullptr};
      execve("/bin/sleep", words, environment);
      _exit(127);
    }
    close(ends[1]);
    char none = 0;
    EXPECT_EQ(read(ends[0], &none, 1), 0) << "closed as the program begins";
    close(ends[0]);
  }
  ~Marked() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Marked(const Marked&) = delete;
  Marked& operator=(const Marked&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(GpuWatch, TellsWhatTheTasksOwnProcessesHaveOfACard) {
  const Marked first("MARK=/a"), second("MARK=/a"), other("MARK=/b");
  Say(absl::StrCat("cards = 2\n0.utilization = 90\n1.utilization = 1\n0.processes = ", first.pid(),
                   ":100:20 ", other.pid(), ":7000:50 ", second.pid(),
                   ":11:5\n1.processes = ", other.pid(), ":5:5\n"));
  const auto nvml = Nvml::Open(FAKE_NVML);
  ASSERT_TRUE(nvml.ok()) << nvml.status();
  FixedClock clock;
  UtilizationMean mean;
  CardTask task{{"job", 1, 0, 7}, nullptr, {0, 1}, 42, "MARK=/a"};
  auto lines = Parsed(CardLines(**nvml, "w1", task, clock, &mean));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["gpu_processes"], 2);
  EXPECT_EQ(lines[0]["gpu_process_bytes"], 111);
  EXPECT_DOUBLE_EQ(lines[0]["gpu_process_utilization"], 0.25);
  EXPECT_EQ(lines[0]["gpu_utilization"], 0.9) << "of the whole card";
  EXPECT_FALSE(lines[1].contains("gpu_processes")) << "none of its own is there";
  task.mark = "MARK=/b";
  lines = Parsed(CardLines(**nvml, "w1", task, clock, &mean));
  EXPECT_EQ(lines[0]["gpu_process_bytes"], 7000);
}

TEST(GpuWatch, TellsHowMuchMemoryIsInUseOnceALook) {
  Say("cards = 2\n0.memory_total = 500\n0.memory_used = 70\n1.memory_total = 500\n");
  auto nvml = Nvml::Open(FAKE_NVML);
  ASSERT_TRUE(nvml.ok()) << nvml.status();
  const std::vector<CardMemory> expected = {{0, 70}, {1, 0}, {2, std::nullopt}};
  EXPECT_EQ(MemoryOf(**nvml, {0, 1, 2}), expected) << "a card that is gone says nothing";

  FixedClock clock;
  GpuWatch watch(*std::move(nvml), "w1", {0, 1, 2}, clock, [] { return std::vector<CardTask>(); });
  std::vector<CardMemory> taken;
  while (taken.empty()) taken = watch.TakeMemory();  // its first look is at once
  EXPECT_EQ(taken, expected);
  EXPECT_TRUE(watch.TakeMemory().empty()) << "the next look is seconds away";
}

TEST(GpuWatch, TheMeanForgetsWhatIsLongAgo) {
  UtilizationMean mean;
  for (int64_t s = 0; s <= 3600; s += 5) mean.Add(s * 1000, s < 3300 ? 1.0 : 0.0);
  EXPECT_EQ(mean.mean(), 0);
  EXPECT_EQ(mean.span_ms(), 300'000);
}

}  // namespace
}  // namespace baton::worker
