// The real program over a real disk, with a worker and clients made of gRPC calls: what was
// acknowledged survives kill -9, and what is not to be believed is not believed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "common/hash.h"
#include "common/random.h"
#include "tests/fakes/small_disk.h"
#include "tests/scheduler/edge/process_fixture.h"

namespace baton::edge {
namespace {

TEST_F(SchedulerProcessTest, WhatWasAcknowledgedSurvivesKillsUnderLoad) {
  const char* given = std::getenv("BATON_SEED");
  const std::string fresh = RandomId();
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : Xxh3(fresh.data(), fresh.size());
  std::printf("seed %llu; again: BATON_SEED=%llu scheduler_process_test\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
  Random random(seed);
  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;  // id by request
  std::vector<std::string> open;                    // requests whose answer never came
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> stop{false};
    std::atomic<int> answers{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&, at = address()] {
        Caller caller(at);
        while (!stop) {
          const std::string id = RandomId();
          const auto response = caller.Submit(Submission(id));
          std::lock_guard<std::mutex> lock(mutex);
          if (response.ok()) {
            acknowledged[id] = response->job_ids(0);
            ++answers;
          } else {
            open.push_back(id);
            break;  // it was killed
          }
        }
      });
    }
    const int kill_after = static_cast<int>(random.Between(20, 200));
    while (answers < kill_after) std::this_thread::yield();
    KillAndRestart();
    stop = true;
    for (std::thread& client : clients) client.join();
  }
  Caller caller(address());
  ASSERT_FALSE(acknowledged.empty());
  for (const auto& [request, id] : acknowledged) {
    const auto job = caller.Get(id);
    ASSERT_TRUE(job.ok()) << id << ": " << job.status();
  }
  // Repeated over the kill, each request has made its jobs once: at most those whose answer was
  // lost are more than were acknowledged.
  const int64_t jobs = caller.Server()->jobs();
  for (const auto& [request, id] : acknowledged) {
    EXPECT_EQ(caller.Submit(Submission(request))->job_ids(0), id);
  }
  EXPECT_EQ(caller.Server()->jobs(), jobs);
  EXPECT_LE(jobs, static_cast<int64_t>(acknowledged.size() + open.size()));
  for (const std::string& request : open) EXPECT_TRUE(caller.Submit(Submission(request)).ok());
  EXPECT_EQ(caller.Server()->jobs(), static_cast<int64_t>(acknowledged.size() + open.size()));
}

TEST_F(SchedulerProcessTest, TheSameRequestIdWithAnotherRequestIsRefused) {
  const std::string id = RandomId();
  ASSERT_TRUE(Caller(address()).Submit(Submission(id)).ok());
  KillAndRestart();
  Caller caller(address());
  EXPECT_EQ(caller.Submit(Submission(id, 2)).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(caller.Submit(Submission(id)).ok());
}

TEST_F(SchedulerProcessTest, ARunningTaskGoesOnOverAKillOfTheScheduler) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  const uint64_t term = Caller(address()).Server()->term();
  KillAndRestart();
  EXPECT_EQ(Caller(address()).Server()->term(), term + 1);
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.hello().set_term_seen(term);
  worker.Connect(address());
  // The same attempt under the same token is wanted, under the new term.
  const auto wanted = worker.Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  EXPECT_EQ(wanted.wanted().term(), term + 1);
  ASSERT_EQ(wanted.wanted().tasks_size(), 1);
  EXPECT_EQ(wanted.wanted().tasks(0).task().token(), run.task().token());
  EXPECT_EQ(wanted.wanted().tasks(0).goal(), v1::WantedTask::RUN);
  worker.Report(run.task(), v1::TaskReport::EXITED);
  worker.AwaitAck(v1::TaskReport::EXITED);
  const v1::Job ended =
      Caller(address()).Await(job, [](const v1::Job& j) { return j.state() == v1::SUCCEEDED; });
  EXPECT_EQ(ended.attempts_size(), 1);
  EXPECT_EQ(ended.preemptions(), 0);
}

TEST_F(SchedulerProcessTest, LogOffsetsSurviveAndBytesAreStoredOnce) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  worker.SendLog(run.task(), 0, "hello ");
  EXPECT_EQ(worker.AwaitLogAck(), 6);
  KillAndRestart();
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.Connect(address());
  worker.SendLog(run.task(), 0, "hello world\n");
  EXPECT_EQ(worker.AwaitLogAck(), 12);
  v1::WorkerMessage exited;
  *exited.mutable_task() = FakeWorker::MakeReport(run.task(), v1::TaskReport::EXITED);
  exited.mutable_task()->mutable_ends()->set_log_bytes(16);
  worker.Send(exited);
  worker.AwaitAck(v1::TaskReport::EXITED);
  // A follower waits for what the worker said is still to come.
  absl::StatusOr<std::string> followed = std::string();
  std::thread follower([&] { followed = Caller(address()).ReadLog(job, /*follow=*/true); });
  worker.SendLog(run.task(), 12, "end\n");
  EXPECT_EQ(worker.AwaitLogAck(), 16);
  follower.join();
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(*followed, "hello world\nend\n");
  EXPECT_EQ(Caller(address()).ReadLog(job, /*follow=*/false).value(), "hello world\nend\n");
}

TEST_F(SchedulerProcessTest, ADeadWorkerIsNoticedAtOnceAndItsLateWordsAreRefused) {
  FakeWorker first;
  std::string job;
  const v1::WantedTask run = StartOne(first, &job);
  const auto died = std::chrono::steady_clock::now();
  first.Hangup();  // and does not come back within the grace
  Caller caller(address());
  caller.Await(job, [](const v1::Job& j) {
    return j.attempts_size() > 0 && j.attempts(0).end_unix_ms() != 0;
  });
  EXPECT_LT(std::chrono::steady_clock::now() - died, std::chrono::milliseconds(3'000))
      << "the lease is 6 s: a closed connection is noticed before";
  FakeWorker second;
  second.Connect(address());
  const v1::WantedTask again = second.AwaitTask(v1::WantedTask::RUN);
  EXPECT_GT(again.task().token(), run.task().token());
  // The first one comes back and says that its task has succeeded.
  first.Connect(address());
  first.Report(run.task(), v1::TaskReport::EXITED, 0);
  first.AwaitAck(v1::TaskReport::EXITED);
  const v1::Job now = caller.Get(job).value();
  EXPECT_NE(now.state(), v1::SUCCEEDED);
  ASSERT_EQ(now.attempts_size(), 2);
  EXPECT_EQ(now.attempts(1).end_unix_ms(), 0);
  EXPECT_EQ(now.attempts(0).end_cause(), "node-lost");
}

TEST_F(SchedulerProcessTest, AWorkerThatReconnectsWithinTheGraceKeepsItsTask) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.Connect(address());  // at once, as a worker does whose line broke
  const auto wanted = worker.Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  ASSERT_EQ(wanted.wanted().tasks_size(), 1);
  EXPECT_EQ(wanted.wanted().tasks(0).task().token(), run.task().token());
  EXPECT_EQ(Caller(address()).Get(job)->attempts_size(), 1);
}

TEST_F(SchedulerProcessTest, RefusesOtherProtocolsTermsAndClustersInWords) {
  const auto refused = [&](const std::function<void(v1::Hello&)>& change) {
    FakeWorker worker;
    change(worker.hello());
    worker.Connect(address());
    const auto words = worker.Await([](const v1::SchedulerMessage& m) { return m.has_refused(); });
    return words.refused().reason();
  };
  EXPECT_NE(refused([](v1::Hello& h) {
              h.set_protocol_min(0);
              h.set_protocol_max(0);
            }).find("protocol"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_protocol_min(kProtocolMax + 1); }).find("protocol"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_term_seen(1'000); }).find("term 1000"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_cluster_id("another"); }).find("another"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_node_id("x"); }).find("node_id"), std::string::npos);
}

TEST_F(SchedulerProcessTest, ACheckpointThatIsNotInTheStoreIsRefused) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  v1::WorkerMessage message;
  v1::CheckpointReport* report = message.mutable_checkpoint();
  *report->mutable_task() = run.task();
  report->set_name("step-1");
  report->set_step(1);
  report->set_manifest_digest(std::string(64, 'a'));
  worker.Send(message);
  const auto ack =
      worker.Await([](const v1::SchedulerMessage& m) { return m.has_checkpoint_ack(); });
  EXPECT_FALSE(ack.checkpoint_ack().committed());
  EXPECT_NE(ack.checkpoint_ack().refusal(), "");
  EXPECT_EQ(Caller(address()).Get(job)->checkpoints_size(), 0);
}

TEST_F(SchedulerProcessTest, AnswersInWordsAndEndsInOrder) {
  Caller caller(address());
  EXPECT_EQ(caller.Get("nothing").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(caller.Cancel("nothing").code(), absl::StatusCode::kNotFound);
  v1::SubmitJobsRequest native = Submission(RandomId());
  native.mutable_jobs(0)->set_package_digest(std::string(64, 'b'));
  const auto missing = caller.Submit(native);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(missing.status().message()).find("jobs[0].package_digest"),
            std::string::npos);
  const std::string job = caller.Submit(Submission(RandomId())).value().job_ids(0);
  EXPECT_TRUE(caller.Cancel(job).ok());
  EXPECT_EQ(caller.Get(job)->state(), v1::CANCELLED);
  EXPECT_GT(caller.ExportedBytes().value(), 0);
  EXPECT_EQ(process_->Kill(SIGTERM), 0);
  Start();
  EXPECT_EQ(Caller(address()).Get(job)->state(), v1::CANCELLED);
}

TEST_F(SchedulerProcessTest, OnAFullDiskSubmitsAreRefusedAndCancelsGoThrough) {
  process_.reset();
  const SmallDisk disk(int64_t{400} << 20);
  ASSERT_TRUE(disk.mounted());
  process_ =
      std::make_unique<SchedulerProcess>(BATON_SCHEDULER_PROGRAM, disk.folder() + "/data",
                                         std::vector<std::string>{"--listen", "127.0.0.1:0"});
  ASSERT_NE(address(), "");
  Caller caller(address());
  const std::string job = caller.Submit(Submission(RandomId())).value().job_ids(0);
  disk.Fill();
  const auto refused = caller.Submit(Submission(RandomId()));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(refused.status().message()).find("disk"), std::string::npos);
  const absl::Status cancelled = caller.Cancel(job);
  EXPECT_TRUE(cancelled.ok()) << cancelled;
  // Killed on the full disk, it comes back with what it had answered.
  const std::string at = address();
  process_->Kill(SIGKILL);
  process_ = std::make_unique<SchedulerProcess>(BATON_SCHEDULER_PROGRAM, disk.folder() + "/data",
                                                std::vector<std::string>{"--listen", at});
  ASSERT_NE(address(), "") << ReadFile(disk.folder() + "/data.log").value_or("no log");
  EXPECT_EQ(Caller(address()).Get(job)->state(), v1::CANCELLED);
  disk.Empty();
  EXPECT_TRUE(Caller(address()).Submit(Submission(RandomId())).ok());
  process_.reset();
}

TEST_F(SchedulerProcessTest, ASecondOneOnTheSameFolderIsRefused) {
  const std::string before = ReadFile(folder_ + "/address").value();
  const std::string log = folder_ + ".second";
  const pid_t pid = fork();
  if (pid == 0) {
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(fd, STDERR_FILENO);
    execl(BATON_SCHEDULER_PROGRAM, BATON_SCHEDULER_PROGRAM, "--data-dir", folder_.c_str(),
          "--listen", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 6);
  EXPECT_NE(ReadFile(log)->find(std::to_string(process_->pid())), std::string::npos);
  EXPECT_EQ(ReadFile(folder_ + "/address").value(), before);
  EXPECT_TRUE(Caller(address()).Server().ok());
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace baton::edge
