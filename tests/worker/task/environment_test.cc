#include "worker/task/environment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "worker/task/field.h"
#include "worker/task/notice_to.h"
#include "worker/task/package.h"
#include "worker/task/progress.h"
#include "worker/task/slurm.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

Wanted TwoRanks() {
  Wanted task;
  task.key = {"job1", 2, 1, 7};
  auto spec = std::make_shared<TaskSpec>();
  spec->spec_file = "spec.yaml";
  spec->environment = {{"MINE", "1"}, {"RANK", "99"}, {"PATH", "/opt/bin"}};
  spec->params_json = R"({"lr":0.1})";
  task.spec = spec;
  task.world_size = 2;
  task.local_world_size = 1;
  task.node_rank = 1;
  task.nodes = 2;
  task.gpus = {2, 3};
  task.generation = 4;
  task.mtbf_ms = 43'200'900;
  task.peers = {{0, "a", "10.0.0.1", 4001}, {1, "b", "fe80::2", 4002}};
  return task;
}

EnvironmentInput InputFor(const Wanted& task) {
  EnvironmentInput input;
  input.task = &task;
  input.places.folder = "/w/tasks/t";
  input.address = "fe80::2";
  input.data_folder = "/w/cache/d";
  input.resume_folder = "";
  input.rendezvous_socket = "/w/sockets/1";
  input.inherited = {"PATH=/usr/bin", "HOME=/root", "LC_ALL=C", "AWS_SECRET_ACCESS_KEY=x", "odd"};
  return input;
}

TEST(Environment, IsTheWholeContract) {
  const Wanted task = TwoRanks();
  EXPECT_EQ(absl::StrJoin(TaskEnvironment(InputFor(task)), "\n"),
            "BATON_ATTEMPT=2\n"
            "BATON_CHECKPOINT_DIR=/w/tasks/t/checkpoints\n"
            "BATON_DATA_DIR=/w/cache/d\n"
            "BATON_DEADLINE_FILE=/w/tasks/t/deadline.json\n"
            "BATON_JOB_ID=job1\n"
            "BATON_LOCAL_RANK=0\n"
            "BATON_MEMBERSHIP_FILE=/w/tasks/t/membership.json\n"
            "BATON_METRICS_FILE=/w/tasks/t/metrics.jsonl\n"
            "BATON_MTBF_S=43200\n"
            "BATON_NODE_ADDRESS=fe80::2\n"
            "BATON_NODE_RANK=1\n"
            "BATON_OUTPUT_DIR=/w/tasks/t/output\n"
            "BATON_PARAMS_FILE=/w/tasks/t/params.json\n"
            "BATON_RANK=1\n"
            "BATON_RENDEZVOUS=unix:/w/sockets/1\n"
            "BATON_RESUME_DIR=\n"
            "BATON_SAVE_FILE=/w/tasks/t/save.json\n"
            "BATON_SPEC_FILE=/w/tasks/t/work/spec.yaml\n"
            "BATON_WORLD_SIZE=2\n"
            "CUDA_DEVICE_ORDER=PCI_BUS_ID\n"
            "CUDA_VISIBLE_DEVICES=2,3\n"
            "GROUP_RANK=1\n"
            "HOME=/root\n"
            "LC_ALL=C\n"
            "LOCAL_RANK=0\n"
            "LOCAL_WORLD_SIZE=1\n"
            "MASTER_ADDR=10.0.0.1\n"
            "MASTER_PORT=4001\n"
            "MINE=1\n"
            "NODE_RANK=1\n"
            "PATH=/opt/bin\n"
            "RANK=1\n"
            "TF_CONFIG={\"cluster\":{\"worker\":[\"10.0.0.1:4001\",\"[fe80::2]:4002\"]},"
            "\"task\":{\"index\":1,\"type\":\"worker\"}}\n"
            "TORCHELASTIC_RESTART_COUNT=1\n"
            "WORLD_SIZE=2");
}

bool Has(const std::vector<std::string>& environment, const std::string& variable) {
  return std::find(environment.begin(), environment.end(), variable) != environment.end();
}

TEST(Environment, AUsersProgramFindsItsFlags) {
  Wanted task = TwoRanks();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->command = {"python3", "train.py"};
  spec->params_json = R"({"drop-out":0.3,"name":"a b","on":true,"n":null,"l":[1,2],"long":")" +
                      std::string(5000, 'x') + "\"}";
  task.spec = spec;
  const auto environment = TaskEnvironment(InputFor(task));
  for (const char* variable : {"BATON_FLAG_DROP_OUT=0.3", "BATON_FLAG_NAME=a b",
                               "BATON_FLAG_ON=true", "BATON_FLAG_L=[1,2]", "PYTHONUNBUFFERED=1",
                               "BATON_RANK=1", "BATON_METRICS_FILE=/w/tasks/t/program.jsonl"}) {
    EXPECT_TRUE(Has(environment, variable)) << variable;
  }
  for (const std::string& variable : environment) {
    EXPECT_NE(variable.rfind("BATON_FLAG_LONG", 0), 0u) << "too long for an environment";
    EXPECT_NE(variable.rfind("SLURM", 0), 0u) << "nobody asked";
  }
}

TEST(Environment, ALauncherOfANodeFindsItsPlaceAndIsNoRank) {
  Wanted task = TwoRanks();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->command = {"torchrun", "train.py"};
  spec->environment = {};
  spec->holds_its_node = true;
  task.spec = spec;
  const auto environment = TaskEnvironment(InputFor(task));
  for (const char* variable :
       {"NNODES=2", "NODE_RANK=1", "GROUP_RANK=1", "MASTER_ADDR=10.0.0.1", "MASTER_PORT=4001",
        "LOCAL_WORLD_SIZE=2", "PET_NNODES=2", "PET_NODE_RANK=1", "PET_NPROC_PER_NODE=2",
        "PET_MASTER_ADDR=10.0.0.1", "PET_MASTER_PORT=4001", "CUDA_VISIBLE_DEVICES=2,3",
        "TORCHELASTIC_RESTART_COUNT=1", "BATON_NODE_RANK=1", "BATON_WORLD_SIZE=2"}) {
    EXPECT_TRUE(Has(environment, variable)) << variable;
  }
  for (const std::string& variable : environment) {
    for (const char* name : {"RANK=", "LOCAL_RANK=", "WORLD_SIZE="}) {
      EXPECT_NE(variable.rfind(name, 0), 0u) << variable;
    }
  }
  task.gpus = {};
  EXPECT_TRUE(Has(TaskEnvironment(InputFor(task)), "PET_NPROC_PER_NODE=1"));
}

TEST(Environment, AGangOfProgramsMeetsOnTheNodesNetwork) {
  Wanted task = TwoRanks();
  EnvironmentInput input = InputFor(task);
  input.interface = "eth1";
  EXPECT_FALSE(Has(TaskEnvironment(input), "GLOO_SOCKET_IFNAME=eth1")) << "Baton's trainer knows";
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->command = {"python3", "train.py"};
  spec->environment.emplace_back("NCCL_SOCKET_IFNAME", "ib0");
  task.spec = spec;
  EXPECT_TRUE(Has(TaskEnvironment(input), "GLOO_SOCKET_IFNAME=eth1"));
  EXPECT_TRUE(Has(TaskEnvironment(input), "NCCL_SOCKET_IFNAME=ib0")) << "a default";
  task.world_size = 1;
  EXPECT_FALSE(Has(TaskEnvironment(input), "GLOO_SOCKET_IFNAME=eth1")) << "nobody to meet";
  EXPECT_EQ(InterfaceOf("127.0.0.1"), "") << "of one machine, any will do";
  EXPECT_EQ(InterfaceOf("192.0.2.1"), "") << "not this machine's";
}

TEST(Environment, SecretsAreVariables) {
  Wanted task = TwoRanks();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->secrets = {{"TOKEN", "hunter2"}};
  task.spec = spec;
  EXPECT_TRUE(Has(TaskEnvironment(InputFor(task)), "TOKEN=hunter2"));
  EXPECT_EQ(SecretValues(*spec), std::vector<std::string>{"hunter2"});
}

TEST(Environment, AScriptOfSlurmFindsWhatItExpects) {
  Wanted task = TwoRanks();
  task.key.job = "00000ff1234";
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->command = {"bash", "run.sh"};
  spec->environment.emplace_back("SLURM_JOB_NAME", "fit");
  task.cpus_milli = 2500;
  task.spec = spec;
  const auto environment = TaskEnvironment(InputFor(task));
  for (const char* variable :
       {"SLURM_JOB_NAME=fit", "SLURM_JOB_ID=255", "SLURM_PROCID=1", "SLURM_LOCALID=0",
        "SLURM_NTASKS=2", "SLURM_NNODES=2", "SLURM_NODEID=1", "SLURM_CPUS_PER_TASK=3",
        "PATH=/w/tasks/t/bin:/opt/bin", "SLURM_SUBMIT_DIR=/w/tasks/t/work", "SLURM_RESTART_COUNT=1",
        "SLURM_GPUS_ON_NODE=2", "SLURM_JOB_NODELIST=10.0.0.1,fe80::2"}) {
    EXPECT_TRUE(Has(environment, variable)) << variable;
  }
}

TEST(Environment, TheFirstNodeRunsTheScriptOfSlurmAndTheOthersWait) {
  Wanted task = TwoRanks();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->command = {"bash", "run.sh", "a b"};
  spec->holds_its_node = true;
  spec->environment = {
      {"SLURM_JOB_NAME", "fit"}, {"SLURM_NTASKS", "3"}, {"SLURM_NTASKS_PER_NODE", "2"}};
  task.spec = spec;
  const EnvironmentInput input = InputFor(task);
  const auto environment = TaskEnvironment(input);
  for (const char* variable :
       {"SLURM_NTASKS=3", "SLURM_NPROCS=3", "SLURM_NTASKS_PER_NODE=2", "SLURM_TASKS_PER_NODE=2(x2)",
        "SLURM_NNODES=2", "SLURM_NODEID=1", "SLURM_PROCID=0", "BATON_STEPS_DIR=/w/tasks/t/steps"}) {
    EXPECT_TRUE(Has(environment, variable)) << variable;
  }
  // A range of nodes that has shrunk: no more tasks than the one that is left has room for.
  Wanted alone = task;
  alone.nodes = 1;
  EXPECT_TRUE(Has(TaskEnvironment(InputFor(alone)), "SLURM_NTASKS=2"));
  const std::string program = "/w/tasks/t/bin/baton-step";
  EXPECT_EQ(SlurmCommand(task, input.places), (std::vector<std::string>{program, "wait"}));
  task.key.rank = 0;
  EXPECT_EQ(SlurmCommand(task, input.places),
            (std::vector<std::string>{program, "batch", "bash", "run.sh", "a b"}));
  auto plain = std::make_shared<TaskSpec>(*spec);
  plain->holds_its_node = false;
  task.spec = plain;
  EXPECT_EQ(SlurmCommand(task, input.places), plain->command) << "each rank runs it";
  task.peers = {{0, "a", "127.0.0.1", 1}, {1, "b", "127.0.0.1", 2}};
  EXPECT_TRUE(Has(TaskEnvironment(InputFor(task)), "SLURM_JOB_NODELIST=127.0.0.1,127.0.0.1"))
      << "an entry for each node";
}

TEST(Notice, IsForTheBatchScriptOrItsStepsWhereTheLinesSaySo) {
  const std::string zero(1, '\0');
  const std::string step = zero + "SLURM_STEP_ID=0" + zero;
  EXPECT_TRUE(IsForNotice(zero + "A=1" + zero));
  EXPECT_TRUE(IsForNotice(step));
  for (const auto& [to, script, of_step] :
       {std::tuple{"batch", true, false}, std::tuple{"steps", false, true}}) {
    const std::string variable = zero + "SLURM_SIGNAL_TO=" + to + zero;
    EXPECT_EQ(IsForNotice(variable), script) << to;
    EXPECT_EQ(IsForNotice(step + variable), of_step) << to;
  }
}

class TaskFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-environment-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    places_.folder = folder_ + "/t";
    ASSERT_TRUE(MakeTaskFolders(places_).ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string folder_;
  TaskPlaces places_;
};

TEST_F(TaskFilesTest, FilesAreWholeAndPrivate) {
  ASSERT_TRUE(WriteTaskFiles(TwoRanks(), places_, "").ok());
  EXPECT_EQ(*ReadFile(places_.membership()),
            "{\"generation\":4,\"ranks\":[{\"address\":\"10.0.0.1\",\"rank\":0},"
            "{\"address\":\"fe80::2\",\"rank\":1}],\"world_size\":2}\n");
  EXPECT_EQ(*ReadFile(places_.params()), "{\"lr\":0.1}\n");
  struct stat info {};
  ASSERT_EQ(stat(places_.folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(TaskFilesTest, SrunStartsThisRanksPart) {
  Wanted task = TwoRanks();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  spec->environment.emplace_back("SLURM_JOB_NAME", "fit");
  task.spec = spec;
  ASSERT_TRUE(WriteTaskFiles(task, places_, BATON_STEP).ok());
  const auto says = [&](const std::string& words) {
    const std::string out = folder_ + "/said";
    const std::string line = "SLURM_PROCID=1 SLURM_JOB_NODELIST=a,b " + places_.programs() + "/" +
                             words + " > " + out + " 2>&1";
    EXPECT_EQ(std::system(line.c_str()), 0) << words;
    return *ReadFile(out);
  };
  EXPECT_EQ(says("srun echo a b"), "a b\n");
  EXPECT_EQ(says("srun -l --ntasks=2 --gpus-per-task 1 -c 4 -N2 --export=ALL echo -n x"), "x");
  EXPECT_EQ(says("srun -n 1 echo only rank 0"), "");
  EXPECT_EQ(says("srun --ntasks 2 -- echo --x"), "--x\n");
  EXPECT_EQ(says("scontrol show hostnames $SLURM_JOB_NODELIST"), "a\nb\n");
}

TEST_F(TaskFilesTest, TheDeadlineFileComesChangesAndGoes) {
  ASSERT_TRUE(WriteTaskNotice(places_, TaskNotice::kSave, 2'000, "risk").ok());
  EXPECT_EQ(*ReadFile(places_.save()), "{\"reason\":\"risk\",\"unix_time\":2.0}\n");
  ASSERT_TRUE(WriteTaskNotice(places_, TaskNotice::kDeadline, 1'500, "spot").ok());
  EXPECT_EQ(*ReadFile(places_.deadline()), "{\"reason\":\"spot\",\"unix_time\":1.5}\n");
  ASSERT_TRUE(WriteTaskNotice(places_, TaskNotice::kDeadline, 1'000, "bad \xff bytes").ok());
  EXPECT_NE(ReadFile(places_.deadline())->find("\"unix_time\":1.0"), std::string::npos);
  RemoveDeadlineFile(places_);
  EXPECT_FALSE(fs::exists(places_.deadline()));
}

TEST_F(TaskFilesTest, APackageIsCopiedNotShared) {
  const std::string from = folder_ + "/p";
  fs::create_directories(from + "/sub");
  ASSERT_TRUE(WriteFileAtomically(from + "/sub/run.sh", "echo\n").ok());
  fs::permissions(from + "/sub/run.sh", fs::perms::owner_all);
  ASSERT_TRUE(CopyPackage(from, places_.work()).ok());
  const std::string copy = places_.work() + "/sub/run.sh";
  EXPECT_EQ(*ReadFile(copy), "echo\n");
  EXPECT_EQ(access(copy.c_str(), X_OK), 0);
  ASSERT_TRUE(WriteFileAtomically(copy, "changed").ok());
  EXPECT_EQ(*ReadFile(from + "/sub/run.sh"), "echo\n");
  fs::create_symlink("/etc/passwd", from + "/link");
  EXPECT_FALSE(CopyPackage(from, folder_ + "/other").ok());
}

TEST_F(TaskFilesTest, StepsComeFromTheMetricsLines) {
  ProgressReader reader(places_.progress(), places_.metrics());
  EXPECT_EQ(reader.Poll(5).step, 0);
  std::string text = "{\"step\":3,\"loss\":1}\nnonsense\n{\"step\":\"9\"}\n{\"step\":";
  ASSERT_TRUE(WriteFileAtomically(places_.metrics(), text).ok());
  EXPECT_EQ(reader.Poll(6).step, 3);
  EXPECT_EQ(reader.Poll(7).at_ms, 6);
  text += "12}\n{\"step\":2}\n{\"step\":1e300}\n" + std::string(400'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(places_.metrics(), text).ok());
  EXPECT_EQ(reader.Poll(8).step, 12);
  reader.Poll(8);
  reader.Poll(8);
  text += "{\"step\":50}\n{\"step\":60}\n";
  ASSERT_TRUE(WriteFileAtomically(places_.metrics(), text).ok());
  EXPECT_EQ(reader.Poll(9).step, 60) << "an endless line is passed over, not kept";
}

TEST_F(TaskFilesTest, AStepBesideANumberThatIsNoneCounts) {
  ProgressReader reader(places_.progress(), places_.metrics());
  ASSERT_TRUE(WriteFileAtomically(places_.metrics(),
                                  "{\"step\": 3, \"loss\": NaN}\n{\"step\": 4, \"x\": -Infinity}\n"
                                  "{\"step\": 5.0}")
                  .ok());
  EXPECT_EQ(reader.Poll(6).step, 4) << "the last line may go on yet";
  EXPECT_EQ(reader.Finish(7).step, 5) << "now it does not";
  EXPECT_EQ(reader.TakeProblem(), "");
}

TEST_F(TaskFilesTest, AStepThatIsNoCountIsToldOnce) {
  ProgressReader reader(places_.progress(), places_.metrics());
  ASSERT_TRUE(
      WriteFileAtomically(places_.metrics(), "{\"step\":2}\n{\"step\":3.5}\n{\"step\":-3}\n").ok());
  EXPECT_EQ(reader.Poll(6).step, 2);
  EXPECT_EQ(reader.TakeProblem(),
            "metrics: a line is passed over, since its step is no whole number from 0 on: "
            "{\"step\":3.5}");
  EXPECT_EQ(reader.TakeProblem(), "");
}

TEST_F(TaskFilesTest, TheProgressFileCountsBeforeTheMetrics) {
  ASSERT_TRUE(WriteFileAtomically(places_.metrics(), "{\"step\":3}\n").ok());
  const int64_t progress[3] = {7, 1234, 55};
  const std::string bytes(reinterpret_cast<const char*>(progress), sizeof(progress));
  ASSERT_TRUE(WriteFileAtomically(places_.progress(), bytes.substr(0, 20)).ok());
  ProgressReader reader(places_.progress(), places_.metrics());
  EXPECT_EQ(reader.Poll(5).step, 0) << "a shorter file says nothing yet";
  ASSERT_TRUE(WriteFileAtomically(places_.progress(), bytes).ok());
  EXPECT_EQ(reader.Poll(5).step, 7);
  EXPECT_EQ(reader.Poll(5).at_ms, 1234);
  EXPECT_EQ(reader.Poll(5).save_ms, 55);
}

TEST(FreePort, IsFreeAndAboveThePrivilegedOnes) {
  const auto port = FreePort("127.0.0.1");
  ASSERT_TRUE(port.ok());
  EXPECT_GT(*port, 1023);
  EXPECT_FALSE(FreePort("example.invalid").ok());
}

}  // namespace
}  // namespace baton::worker
