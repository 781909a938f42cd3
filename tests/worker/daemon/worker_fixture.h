// The real baton-worker, as a process, against a scheduler without decisions.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/worker/daemon/fake_scheduler.h"

extern char** environ;

namespace baton::worker {

namespace fs = std::filesystem;
using Messages = FakeScheduler::Messages;

class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-worker-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    scheduler_ = FakeScheduler::Start("127.0.0.1:0", folder_ + "/blobs");
  }

  void TearDown() override {
    if (worker_ > 0) {
      kill(worker_, SIGKILL);
      waitpid(worker_, nullptr, 0);
    }
    scheduler_.reset();
    fs::remove_all(folder_);
  }

  void StartWorker(std::vector<std::string> more = {}) {
    StartWorkerAt(scheduler_->address(), std::move(more));
  }

  void StartWorkerAt(const std::string& address, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {WORKER_PROGRAM, "--scheduler", address, "--dir",
                                      folder_ + "/w", "--name",      "w",     "--capacity",
                                      "spot"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&worker_, WORKER_PROGRAM, nullptr, nullptr, argv.data(), environ), 0);
  }

  int AwaitWorkerExit() {
    int status = -1;
    waitpid(worker_, &status, 0);
    worker_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  v1::WantedTask Task(const std::string& job, const std::string& script,
                      v1::WantedTask::Goal goal = v1::WantedTask::RUN) {
    v1::WantedTask task;
    task.mutable_task()->set_job_id(job);
    task.mutable_task()->set_attempt(1);
    task.mutable_task()->set_token(7);
    task.set_goal(goal);
    task.set_world_size(1);
    task.set_local_world_size(1);
    task.set_nodes(1);
    for (const char* word : {"/bin/sh", "-c", script.c_str()}) {
      task.mutable_spec()->add_command(word);
    }
    task.mutable_spec()->set_notice_grace_ms(5000);
    v1::Peer* peer = task.add_peers();
    peer->set_address("127.0.0.1");
    peer->set_port(12345);
    return task;
  }

  // The newest report of the stage, once there is one.
  v1::TaskReport AwaitReport(const std::string& job, v1::TaskReport::Stage stage) {
    v1::TaskReport found;
    EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
      for (const v1::WorkerMessage& message : messages) {
        if (!message.has_task() || message.task().task().job_id() != job) continue;
        const bool failed = message.task().stage() == v1::TaskReport::FAILED;
        if (message.task().stage() == stage || failed) found = message.task();
      }
      return found.has_task();
    })) << "no "
        << v1::TaskReport::Stage_Name(stage) << " of " << job;
    EXPECT_EQ(found.stage(), stage) << found.error();
    return found;
  }

  bool AwaitLog(const std::string& job, const std::string& text) {
    return Poll([&] { return scheduler_->Stream(job, 0, false).find(text) != std::string::npos; });
  }

  static bool Poll(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      usleep(5000);
    }
    return false;
  }

  static int Count(const Messages& messages, v1::WorkerMessage::MessageCase which) {
    int count = 0;
    for (const v1::WorkerMessage& message : messages) count += message.message_case() == which;
    return count;
  }

  std::string folder_;
  std::unique_ptr<FakeScheduler> scheduler_;
  pid_t worker_ = -1;
};

}  // namespace baton::worker
