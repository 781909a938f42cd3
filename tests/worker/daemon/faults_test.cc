// What a worker makes of what goes wrong: odd files, full disks, dead workers, refusals.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/artifact/transfer.h"
#include "tests/worker/daemon/worker_fixture.h"
#include "worker/task/process_tree.h"

namespace baton::worker {
namespace {

using testing::HasSubstr;

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(WorkerTest, AnOddNameAmongTheOutputsCostsOnlyItsFile) {
  StartWorker();
  scheduler_->Want({Task("job1",
                         "cd $BATON_OUTPUT_DIR; echo weights > model; "
                         "echo x > \"$(printf 'a\\tb')\"; echo x > \"$(printf '\\377')\"")});
  const v1::TaskReport exited = AwaitReport("job1", v1::TaskReport::EXITED);
  EXPECT_EQ(exited.exit_code(), 0);
  EXPECT_FALSE(exited.infrastructure());
  EXPECT_THAT(exited.error(), HasSubstr("'a\\tb' has a name that can't be stored"));
  EXPECT_THAT(exited.error(), HasSubstr("'\\xff' has a name"));
  EXPECT_TRUE(AwaitLog("job1", "[baton: " + exited.error() + "]\n"));
  ASSERT_TRUE(
      artifact::Download(scheduler_->artifacts(), exited.output_digest(), folder_ + "/got").ok());
  EXPECT_EQ(Read(folder_ + "/got/model"), "weights\n");
}

TEST_F(WorkerTest, ARefusedCheckpointIsToldWhileTheTaskGoesOn) {
  StartWorker();
  scheduler_->Want(
      {Task("job1",
            "cd $BATON_CHECKPOINT_DIR; mkdir c.tmp; ln -s /etc c.tmp/link; mv c.tmp c; "
            "while :; do sleep 0.05; done")});
  EXPECT_TRUE(AwaitLog("job1", "[baton: checkpoint c is not kept: "));
  EXPECT_TRUE(scheduler_->Await([](const Messages& messages) {
    for (const v1::WorkerMessage& m : messages) {
      const bool told = m.has_task() && m.task().stage() == v1::TaskReport::RUNNING &&
                        m.task().error().find("/c/link is a symbolic link") != std::string::npos;
      if (told) return true;
    }
    return false;
  }));
}

TEST_F(WorkerTest, OutputsThatCanNeverBeStoredStayOnTheNode) {
  StartWorker();
  scheduler_->Want({Task("job1", "rmdir $BATON_OUTPUT_DIR; echo result > $BATON_OUTPUT_DIR")});
  // A file in the folder's place: no store takes that.
  const v1::TaskReport exited = AwaitReport("job1", v1::TaskReport::EXITED);
  EXPECT_EQ(exited.exit_code(), 0);
  EXPECT_TRUE(exited.infrastructure()) << "a success without its result is none";
  const std::string kept = folder_ + "/w/kept/job1.1.0.7";
  EXPECT_THAT(exited.error(), HasSubstr("; they are kept on this node in " + kept));
  EXPECT_TRUE(AwaitLog("job1", "[baton: the outputs were not uploaded: "));
  scheduler_->Want({});
  EXPECT_TRUE(Poll([&] { return fs::is_empty(folder_ + "/w/tasks"); }));
  EXPECT_EQ(Read(kept), "result\n");
}

TEST_F(WorkerTest, TheLastWordsOfAFailureAreTold) {
  StartWorker();
  scheduler_->Want({Task("job1", "echo Traceback; printf 'ValueError: \\377 no\\n\\n'; exit 1")});
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).error(), "ValueError: \\xff no");
}

TEST_F(WorkerTest, AFullDiskIsNotTheProgramsFault) {
  fs::create_directory(folder_ + "/w");
  ASSERT_EQ(mount("tmpfs", (folder_ + "/w").c_str(), "tmpfs", 0, "size=12m"), 0)
      << strerror(errno) << ": this test mounts a small tmpfs and must run as root";
  StartWorker();
  scheduler_->Want({Task("job1", "head -c 20000000 /dev/zero > $BATON_OUTPUT_DIR/big || exit 1")});
  const v1::TaskReport exited = AwaitReport("job1", v1::TaskReport::EXITED);
  EXPECT_EQ(exited.exit_code(), 1);
  EXPECT_TRUE(exited.infrastructure());
  EXPECT_THAT(exited.error(), HasSubstr("the disk of the node is full ("));
  kill(worker_, SIGKILL);
  AwaitWorkerExit();
  EXPECT_TRUE(Poll([&] { return umount((folder_ + "/w").c_str()) == 0; }));
}

// A job that does not say what disk it needs is taken to need three times its data.
TEST_F(WorkerTest, ANodeWithoutRoomBesideTheDataDoesNotStart) {
  fs::create_directories(folder_ + "/data");
  std::ofstream(folder_ + "/data/file") << std::string(6 << 20, 'x');
  const auto data = artifact::UploadFolder(folder_ + "/data", scheduler_->artifacts());
  ASSERT_TRUE(data.ok());
  fs::create_directory(folder_ + "/w");
  ASSERT_EQ(mount("tmpfs", (folder_ + "/w").c_str(), "tmpfs", 0, "size=16m"), 0)
      << strerror(errno) << ": this test mounts a small tmpfs and must run as root";
  StartWorker();
  v1::WantedTask task = Task("job1", "true");
  v1::DataSet* set = task.mutable_spec()->add_data();
  set->set_name("d");
  set->set_digest(data->manifest);
  v1::WantedTask modest = task;
  modest.mutable_task()->set_job_id("job2");
  modest.mutable_spec()->mutable_resources()->set_disk_bytes(1 << 20);
  scheduler_->Want({task});
  const v1::TaskReport failed = AwaitReport("job1", v1::TaskReport::FAILED);
  EXPECT_TRUE(failed.infrastructure());
  EXPECT_THAT(failed.error(), HasSubstr("have 6.0 MiB, the job may write 12.0 MiB more"));
  EXPECT_THAT(failed.error(), HasSubstr("`disk` in its spec says what it really needs"));
  scheduler_->Want({modest});
  EXPECT_EQ(AwaitReport("job2", v1::TaskReport::EXITED).exit_code(), 0) << "it has said so";
  kill(worker_, SIGKILL);
  AwaitWorkerExit();
  EXPECT_TRUE(Poll([&] { return umount((folder_ + "/w").c_str()) == 0; }));
}

TEST_F(WorkerTest, TheNextWorkerKillsWhatAWorkerAndItsKeeperLeft) {
  StartWorker();
  scheduler_->Want(
      {Task("job1", "setsid sh -c 'echo $$ > " + folder_ + "/pid.tmp; mv " + folder_ + "/pid.tmp " +
                        folder_ + "/pid; exec sleep 1000' & sleep 1000")});
  ASSERT_TRUE(Poll([&] { return fs::exists(folder_ + "/pid"); }));
  const pid_t orphan = static_cast<pid_t>(atoi(Read(folder_ + "/pid").c_str()));
  kill(worker_, SIGSTOP);  // so that neither can end what the other leaves
  for (const Process& process : Descendants(worker_, AllProcesses())) {
    if (process.parent == worker_) kill(process.pid, SIGKILL);
  }
  kill(worker_, SIGKILL);
  AwaitWorkerExit();
  EXPECT_EQ(kill(orphan, 0), 0);
  scheduler_->Want({});
  StartWorker();
  EXPECT_TRUE(Poll([&] { return kill(orphan, 0) != 0; }));
}

TEST_F(WorkerTest, ARefusalIsTheEnd) {
  StartWorker();
  ASSERT_TRUE(
      scheduler_->Await([](const Messages& m) { return Count(m, v1::WorkerMessage::kHello) > 0; }));
  v1::SchedulerMessage refused;
  refused.mutable_refused()->set_reason("it belongs to another cluster");
  scheduler_->Send(refused);
  EXPECT_EQ(AwaitWorkerExit(), 6);
}

}  // namespace
}  // namespace baton::worker
