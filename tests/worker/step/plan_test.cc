#include "worker/step/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace baton::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

SrunOptions Parse(const std::string& text) { return ParseSrun(Words(text)); }

TEST(Srun, OptionsEndWhereTheCommandBegins) {
  const SrunOptions o = Parse(
      "-lu -n4 -N 2-3 --ntasks-per-node=2 -c=3 --mpi pmix --gpus-per-task=1 --chdir=/x "
      "--kill-on-bad-exit=0 -w a,b python -n 9 --label");
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tasks, 4);
  EXPECT_EQ(o.nodes, 2);
  EXPECT_EQ(o.tasks_per_node, 2);
  EXPECT_EQ(o.cpus_per_task, 3);
  EXPECT_EQ(o.folder, "/x");
  EXPECT_TRUE(o.label);
  EXPECT_FALSE(o.kill_on_bad_exit);
  EXPECT_THAT(o.nodelist, ElementsAre("a", "b"));
  EXPECT_THAT(o.command, ElementsAre("python", "-n", "9", "--label"));
  EXPECT_THAT(o.warnings, IsEmpty());
  EXPECT_TRUE(Parse("a").kill_on_bad_exit) << "a lost rank ends the step";
  EXPECT_TRUE(Parse("-K a").kill_on_bad_exit);
  EXPECT_THAT(Parse("-n 2 -- --odd").command, ElementsAre("--odd"));
}

TEST(Srun, WhatIsUnknownIsToldAndIgnored) {
  const SrunOptions o = Parse("--frobnicate=1 -Z --output=x.txt -o y.txt true");
  EXPECT_EQ(o.error, "");
  EXPECT_THAT(o.warnings,
              ElementsAre(HasSubstr("--frobnicate=1 is not known"), HasSubstr("-Z is not known"),
                          HasSubstr("`baton logs`"), HasSubstr("`baton logs`")));
  EXPECT_THAT(o.command, ElementsAre("true"));
}

TEST(Srun, WhatCannotBeIsAnError) {
  EXPECT_EQ(Parse("-n 4").error, "no program is named");
  EXPECT_THAT(Parse("-n none true").error, HasSubstr("'none' is no whole number"));
  EXPECT_THAT(Parse("--ntasks=0 true").error, HasSubstr("--ntasks=0: '0'"));
  EXPECT_EQ(Parse("true -n").error, "");
  EXPECT_EQ(Parse("-N").error, "-N needs a value");
}

TEST(Srun, ExportSaysWhatGoesAlong) {
  EXPECT_TRUE(Parse("a").exports_all);
  const SrunOptions o = Parse("--export=ALL,A=1,B=x=y a");
  EXPECT_TRUE(o.exports_all);
  EXPECT_THAT(o.exported, ElementsAre(std::pair<std::string, std::string>{"A", "1"},
                                      std::pair<std::string, std::string>{"B", "x=y"}));
  EXPECT_FALSE(Parse("--export=NONE a").exports_all);
  EXPECT_THAT(Parse("--export=PATH,HOME a").exported_names, ElementsAre("PATH", "HOME"));
}

// "node:first+tasks" of each part, or the error.
std::string Plan(const std::string& options, const JobShape& job) {
  const StepPlan plan = PlanStep(Parse(options + " true"), job);
  if (!plan.error.empty()) return plan.error;
  std::string text;
  for (const StepPart& part : plan.parts) {
    text += (text.empty() ? "" : " ") + std::to_string(part.node) + ":" +
            std::to_string(part.first) + "+" + std::to_string(part.tasks);
  }
  return text;
}

TEST(Plan, TasksStandInBlocks) {
  const JobShape job{{"a", "b", "c"}, 6, 2};
  EXPECT_EQ(Plan("-u", job), "0:0+2 1:2+2 2:4+2") << "as the script's lines say";
  EXPECT_EQ(Plan("-n 4", job), "0:0+2 1:2+1 2:3+1");
  EXPECT_EQ(Plan("-n 2", job), "0:0+1 1:1+1");
  EXPECT_EQ(Plan("-N 2", job), "0:0+2 1:2+2");
  EXPECT_EQ(Plan("-N 1 -n 1", job), "0:0+1");
  EXPECT_EQ(Plan("--ntasks-per-node=3 -N2", job), "0:0+3 1:3+3");
  EXPECT_EQ(Plan("-w c", job), "2:0+2");
  EXPECT_EQ(Plan("-N1 -n1 -w b", job), "1:0+1");
  EXPECT_EQ(Plan("-N2 -n2 -w b", job), "0:0+1 1:1+1") << "the list is what it must have";
  EXPECT_THAT(Plan("-N 4", job), HasSubstr("the job has 3 nodes"));
  EXPECT_THAT(Plan("-w d", job), HasSubstr("d is none of the job's nodes"));
  EXPECT_EQ(Plan("-w x,x", {{"x", "x"}, 2, 1}), "0:0+1 1:1+1") << "workers of one machine";
}

TEST(Plan, ATaskFindsItsPlace) {
  const StepPlan plan = PlanStep(Parse("-n 3 true"), {{"a", "b"}, 4, 2});
  std::map<std::string, std::string> v;
  for (const auto& [name, value] : TaskVariables(plan, 0, 1, 5, 4)) v[name] = value;
  EXPECT_EQ(v["SLURM_PROCID"], "1");
  EXPECT_EQ(v["SLURM_LOCALID"], "1");
  EXPECT_EQ(v["SLURM_NTASKS"], "3");
  EXPECT_EQ(v["SLURM_STEP_ID"], "5");
  EXPECT_EQ(v["SLURM_NNODES"], "2");
  EXPECT_EQ(v["SLURM_CPUS_PER_TASK"], "4");
  EXPECT_EQ(v["RANK"], "1");
  EXPECT_EQ(v["WORLD_SIZE"], "3");
  v.clear();
  for (const auto& [name, value] : TaskVariables(plan, 1, 0, 5, 0)) v[name] = value;
  EXPECT_EQ(v["RANK"], "2");
  EXPECT_EQ(v["LOCAL_RANK"], "0");
  EXPECT_EQ(v["NODE_RANK"], "1");
  EXPECT_EQ(v.count("SLURM_CPUS_PER_TASK"), 0u);
}

}  // namespace
}  // namespace baton::worker
