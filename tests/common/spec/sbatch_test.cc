#include "common/spec/sbatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/parse.h"

namespace baton::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  EXPECT_EQ(job.ranks.min, 8);
  EXPECT_EQ(job.ranks.max, 8);
  EXPECT_EQ(job.resources.cpu_millis, 4000);
  EXPECT_EQ(job.resources.memory_bytes, 16 * kGiB) << "a node's, shared by four";
  EXPECT_EQ(job.resources.gpus, 1);
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
  EXPECT_EQ(Good("#SBATCH --gpus-per-task=2\n#SBATCH --ntasks=3\n").resources.gpus, 2);
  EXPECT_EQ(Good("#SBATCH --ntasks-per-node=2\n#SBATCH --nodes=3-5\n").ranks.min, 6);
  EXPECT_EQ(Good("#SBATCH --ntasks-per-node=2\n#SBATCH --nodes=3-5\n").ranks_per_node, 2);
  EXPECT_EQ(Good("#SBATCH -N 2\n").ranks_per_node, 1);
  EXPECT_EQ(Good("#SBATCH --ntasks=8 --ntasks-per-node=4\n").ranks_per_node, 4);
  EXPECT_EQ(Good("#SBATCH --nodes=1 --ntasks=4\n").ranks_per_node, 4);
  EXPECT_EQ(Good("#SBATCH --nodes=2 --ntasks=3\n").ranks_per_node, 0) << "with a warning";
  EXPECT_EQ(Good("#SBATCH --gres=gpu\n").resources.gpus, 1);
}

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
  EXPECT_THAT(Bad("--array=0-9"),
              HasSubstr("run.sh:2: #SBATCH --array=0-9: arrays of jobs come in"));
  EXPECT_THAT(Bad("-d afterok:1"), HasSubstr("#SBATCH -d afterok:1: jobs that wait for others"));
  EXPECT_THAT(Bad("--mem=lots"), HasSubstr("must be a size such as"));
  EXPECT_THAT(Bad("--ntasks=0"), HasSubstr("must be a whole number from 1"));
  EXPECT_THAT(Bad("--ntasks=5000"), HasSubstr("run.sh:2: ranks: must be at most 4096"));
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
