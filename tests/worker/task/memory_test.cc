#include "worker/task/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-memory-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    Write("/proc/vmstat", "pgfault 7\noom_kill 2\n");
    Write("/proc/meminfo", "MemTotal:        1024 kB\nMemFree: 1 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  std::string root_;
};

TEST_F(MemoryTest, WithoutACgroupTheMachineCounts) {
  const MemoryFacts facts = ReadMemoryFacts(root_);
  EXPECT_EQ(facts.oom_kills, 2);
  EXPECT_EQ(facts.limit_bytes, 1 << 20);
}

TEST_F(MemoryTest, ACgroupOfVersion2HasItsOwnLimit) {
  Write("/proc/self/cgroup", "0::/jobs/worker\n");
  Write("/sys/fs/cgroup/jobs/worker/memory.events", "low 0\noom 3\noom_kill 5\n");
  Write("/sys/fs/cgroup/jobs/worker/memory.max", "65536\n");
  const MemoryFacts facts = ReadMemoryFacts(root_);
  EXPECT_EQ(facts.oom_kills, 7);
  EXPECT_EQ(facts.limit_bytes, 65536);
  Write("/sys/fs/cgroup/jobs/worker/memory.max", "max\n");
  EXPECT_EQ(ReadMemoryFacts(root_).limit_bytes, 1 << 20);
}

TEST_F(MemoryTest, SoDoesOneOfVersion1AtTheTopOfAContainer) {
  Write("/proc/self/cgroup", "4:memory:/elsewhere\n3:cpu:/\n");
  Write("/sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
  const MemoryFacts facts = ReadMemoryFacts(root_);
  EXPECT_EQ(facts.oom_kills, 3);
  EXPECT_EQ(facts.limit_bytes, 4096);
}

TEST_F(MemoryTest, AProcessHasResidentBytes) {
  EXPECT_GT(ResidentBytes(getpid(), AllProcesses()), 100'000);
}

TEST_F(MemoryTest, EvidenceIsAKillByTheKernelOrItsOwnWords) {
  MemoryEnd end{-9, 1, int64_t{3} << 30, int64_t{4} << 30, ""};
  EXPECT_EQ(OutOfMemory(end),
            "the kernel killed it for want of memory; it was seen to use up to 3.0 GiB of the "
            "node's 4.0 GiB; ask for more by resources.memory, or make the batch smaller");
  end.code = 1;
  EXPECT_EQ(OutOfMemory(end), "");
  end.last_words = "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.";
  EXPECT_NE(OutOfMemory(end), "");
  end = {-9, 0, int64_t{3} << 30, int64_t{4} << 30, ""};
  EXPECT_EQ(OutOfMemory(end), "");
  EXPECT_EQ(OutOfMemory({1, 0, 0, 0, "MemoryError"}),
            "it ran out of memory, by its own words: MemoryError; ask for more by "
            "resources.memory, or make the batch smaller");
  for (const char* words :
       {"terminate called: std::bad_alloc", "Error: cannot allocate vector of size 7.5 Gb",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate"}) {
    EXPECT_NE(OutOfMemory({1, 0, 0, 0, words}), "") << words;
  }
  EXPECT_EQ(OutOfMemory({1, 3, 0, 0, "ValueError: bad"}), "");
  EXPECT_EQ(OutOfMemory({0, 3, 0, 0, "MemoryError"}), "");
  EXPECT_EQ(OutOfMemory({-15, 3, 0, 0, "MemoryError"}), "");
}

}  // namespace
}  // namespace baton::worker
