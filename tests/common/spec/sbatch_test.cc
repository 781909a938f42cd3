#include "common/spec/sbatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"

namespace baton::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The job of a script, or its mistakes.
Reading Read(const std::string& script) {
  Overrides overrides;
  overrides.settings = ReadSbatchLines(script, "run.sh").settings;
  return ReadSpecText("command: [bash, run.sh]\n", "job.yaml", overrides);
}

JobSpec Good(const std::string& script) {
  const Reading reading = Read(script);
  EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  return reading.spec;
}

std::string Bad(const std::string& line) {
  return std::string(Read("#!/bin/bash\n#SBATCH " + line + "\n").mistakes.ToStatus().message());
}

constexpr int64_t kGiB = 1 << 30;

TEST(Sbatch, AScriptsLinesAreFieldsOfTheJob) {
  const JobSpec job = Good(
      "#!/bin/bash -l\n"
      "#SBATCH --job-name=fit --time=1-02:30  # a day\n"
      "\n"
      "# a comment\n"
      "#SBATCH -N 2 -n 8\n"
      "#SBATCH -c4\n"
      "#SBATCH --mem 64G\n"
      "#SBATCH --gres=shard:1,gpu:a100:4\r\n"
      "#SBATCH --tmp=20G\n"
      "##SBATCH --retired\n"
      "module load x\n"
      "#SBATCH --time=never\n");
  EXPECT_EQ(job.name, "fit");
  EXPECT_EQ(job.time_limit_ms, (26 * 60 + 30) * 60'000);
  EXPECT_EQ(job.launch, Launch::kNode) << "the first node runs the script";
  EXPECT_EQ(job.ranks.min, 2);
  EXPECT_EQ(job.ranks.max, 2);
  EXPECT_EQ(job.env.at("SLURM_NTASKS"), "8");
  EXPECT_EQ(job.env.at("SLURM_NTASKS_PER_NODE"), "4");
  EXPECT_EQ(job.env.at("SLURM_CPUS_PER_TASK"), "4");
  EXPECT_EQ(job.resources.cpu_millis, 16'000) << "of the four tasks of a node";
  EXPECT_EQ(job.resources.memory_bytes, 64 * kGiB) << "a node's";
  EXPECT_EQ(job.resources.gpus, 4) << "likewise";
  EXPECT_EQ(job.resources.gpu_type, "a100");
  EXPECT_EQ(job.resources.disk_bytes, 20 * kGiB);
}

TEST(Sbatch, OneTaskHasTheWholeNode) {
  const JobSpec job = Good(
      "#SBATCH --nodes=1\n#SBATCH --gpus=h100:4\n#SBATCH --mem-per-cpu=2000\n"
      "#SBATCH --cpus-per-task=3\n#SBATCH -J \"a\"\n");
  EXPECT_EQ(job.ranks.max, 1);
  EXPECT_EQ(job.resources.gpus, 4);
  EXPECT_EQ(job.resources.memory_bytes, int64_t{6000} << 20);
  EXPECT_EQ(job.env.count("SLURM_CPUS_PER_TASK"), 1u);
  EXPECT_EQ(Good("#SBATCH --gres=gpu:2 -J a\n").env.count("SLURM_NTASKS"), 0u) << "not asked for";
}

TEST(Sbatch, TasksAreSharedOutToNodes) {
  const auto shape = [](const std::string& options) {
    const JobSpec job = Good("#SBATCH " + options + "\n");
    return std::vector<std::string>{absl::StrCat(job.ranks.max), job.env.at("SLURM_NTASKS"),
                                    job.env.at("SLURM_NTASKS_PER_NODE")};
  };
  EXPECT_THAT(shape("--ntasks-per-node=2 --nodes=3-5"), ElementsAre("3", "6", "2"));
  EXPECT_THAT(shape("-N 2"), ElementsAre("2", "2", "1"));
  EXPECT_THAT(shape("--ntasks=8 --ntasks-per-node=4"), ElementsAre("2", "8", "4"));
  EXPECT_THAT(shape("--nodes=1 --ntasks=4"), ElementsAre("1", "4", "4"));
  EXPECT_THAT(shape("--nodes=2 --ntasks=3"), ElementsAre("2", "3", "2"));
  EXPECT_THAT(shape("--ntasks=3"), ElementsAre("1", "3", "3"));
  EXPECT_THAT(ReadSbatchLines("#SBATCH -n 3\n", "run.sh").warnings,
              ElementsAre(HasSubstr("run.sh:1: #SBATCH -n 3 all on one node")));
  EXPECT_EQ(Good("#SBATCH --gpus-per-task=2 --ntasks=3\n").resources.gpus, 6);
  EXPECT_EQ(Good("#SBATCH --gpus=7 --nodes=2\n").resources.gpus, 4);
  EXPECT_EQ(Good("#SBATCH --ntasks=3\n").resources.cpu_millis, 3000);
  EXPECT_EQ(Good("#SBATCH -n 2 --mem-per-cpu=1G -c 3\n").resources.memory_bytes, 6 * kGiB);
}

TEST(Sbatch, TheSignalOfANoticeAndWhoHearsIt) {
  const JobSpec steps = Good("#SBATCH --signal=SIGUSR1@90\n");
  EXPECT_EQ(steps.notice_signal, NoticeSignal::kUsr1);
  EXPECT_EQ(steps.notice_grace_ms, 90'000);
  EXPECT_EQ(steps.env.at("SLURM_SIGNAL_TO"), "steps");
  const JobSpec batch = Good("#SBATCH --signal=B:TERM\n");
  EXPECT_EQ(batch.notice_signal, NoticeSignal::kTerm);
  EXPECT_EQ(batch.notice_grace_ms, 0) << "the default";
  EXPECT_EQ(batch.env.at("SLURM_SIGNAL_TO"), "batch");
  EXPECT_THAT(ReadSbatchLines("#SBATCH --signal=USR2@90\n", "r").warnings,
              ElementsAre(HasSubstr("a notice can be TERM or USR1")));
  EXPECT_THAT(ReadSbatchLines("#SBATCH --signal=USR1@90\n", "r").warnings, IsEmpty());
}

TEST(Sbatch, GpusByTheirOlderNames) { EXPECT_EQ(Good("#SBATCH --gres=gpu\n").resources.gpus, 1); }

TEST(Sbatch, TimesOfSlurm) {
  for (const auto& [text, minutes] : std::map<std::string, int64_t>{{"90", 90},
                                                                    {"90:00", 90},
                                                                    {"2:00:00", 120},
                                                                    {"1-0", 1440},
                                                                    {"0-1:30", 90},
                                                                    {"UNLIMITED", 0},
                                                                    {"0", 0}}) {
    EXPECT_EQ(Good("#SBATCH --time=" + text + "\n").time_limit_ms, minutes * 60'000) << text;
  }
  EXPECT_THAT(Bad("--time=soon"), HasSubstr("run.sh:2: #SBATCH --time=soon: must be a time"));
}

TEST(Sbatch, WhatCannotBeIsRefusedInWords) {
  EXPECT_THAT(
      Bad("--array=0-9"),
      HasSubstr("run.sh:2: #SBATCH --array=0-9: Baton has sweeps in place of arrays: `baton "
                "sweep`"));
  EXPECT_THAT(Bad("-d afterok:1"), HasSubstr("#SBATCH -d afterok:1: jobs that wait for others"));
  EXPECT_THAT(Bad("--mem=lots"), HasSubstr("must be a size such as"));
  EXPECT_THAT(Bad("--ntasks=0"), HasSubstr("must be a whole number from 1"));
  EXPECT_THAT(Bad("--nodes=5000"), HasSubstr("run.sh:2: nodes: must be at most 4096"));
  EXPECT_THAT(Bad("--gpus=a100:x"), HasSubstr("TYPE:NUMBER"));
  EXPECT_THAT(Bad("--job-name='no name'"), HasSubstr("run.sh:2: name: 'no name' is no name"));
}

TEST(Sbatch, WhatIsIgnoredIsSaidWithItsLine) {
  const SbatchLines lines = ReadSbatchLines(
      "#!/bin/sh\n#SBATCH --export=ALL --partition gpu\n#SBATCH --frobnicate\n#SBATCH --requeue\n"
      "#SBATCH --mem=0\n",
      "run.sh");
  EXPECT_TRUE(lines.found);
  EXPECT_THAT(lines.warnings,
              ElementsAre(HasSubstr("run.sh:2: #SBATCH --export=ALL is ignored: a task has"),
                          HasSubstr("run.sh:2: #SBATCH --partition gpu is ignored: `--require"),
                          HasSubstr("run.sh:3: #SBATCH --frobnicate is ignored: Baton does not"),
                          HasSubstr("run.sh:5: #SBATCH --mem=0 is ignored")));
  EXPECT_FALSE(ReadSbatchLines("#!/bin/sh\n#SBATCHX --time=1\necho\n#SBATCH -t 1\n", "a").found);
}

}  // namespace
}  // namespace baton::spec
