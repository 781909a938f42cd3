// A real worker, a scheduler that changes the gang, and a program that does what the public
// contract asks of an elastic one.
#include <gmock/gmock.h>

#include "tests/worker/daemon/worker_fixture.h"

namespace baton::worker {
namespace {

// Forms each generation with what it has, finishes ten steps in it, and waits for the next one.
constexpr char kElastic[] = R"(exec python3 - <<'END'
import json, os, socket, struct, time
def progress(step, generation, begun):
    with open(os.environ['BATON_METRICS_FILE'] + '.progress', 'wb') as file:
        file.write(struct.pack('<5q', step, int(time.time() * 1000), 0, generation, begun))
meeting = socket.socket(socket.AF_UNIX)
meeting.connect(os.environ['BATON_RENDEZVOUS'][len('unix:'):])
lines = meeting.makefile('rw')
def ask(**request):
    lines.write(json.dumps(request) + '\n')
    lines.flush()
    return lines.readline().strip()
print('ready:', ask(id=1, op='ready', generation=1), flush=True)
step = 0
while True:
    members = open(os.environ['BATON_MEMBERSHIP_FILE']).read()
    generation = json.loads(members)['generation']
    print('members:', members, flush=True)
    progress(step, generation, step)
    time.sleep(0.3)
    step += 10
    progress(step, generation, step - 10)
    if generation == 2:
        print('lost:', ask(id=2, op='lost', generation=2, rank=1), flush=True)
    print('next:', ask(id=3, op='wait', generation=generation, key='next-generation'), flush=True)
END
)";

class GangTest : public WorkerTest {
 protected:
  v1::WantedTask Member(uint64_t generation, const std::vector<int>& tasks,
                        v1::WantedTask::Goal goal = v1::WantedTask::RUN) {
    v1::WantedTask task = Task("gang", kElastic, goal);
    task.set_generation(generation);
    task.set_world_size(static_cast<int>(tasks.size()));
    task.clear_peers();
    for (const int number : tasks) {
      v1::Peer* peer = task.add_peers();
      peer->set_rank(task.peers_size() - 1);
      peer->set_task(number);
      peer->set_address("10.0.0." + std::to_string(number));
    }
    return task;
  }
  // The first report, also one in a hello, of the generation's first step.
  v1::TaskReport AwaitFirstStep(uint64_t generation) {
    v1::TaskReport found;
    EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
      for (const v1::WorkerMessage& message : messages) {
        const bool is_it = message.task().stage() == v1::TaskReport::FIRST_STEP &&
                           message.task().generation() == generation;
        if (is_it) found = message.task();
        for (const v1::TaskReport& report : message.hello().tasks()) {
          if (report.generation() == generation) found = report;
        }
      }
      return found.has_task();
    })) << "no first step of generation "
        << generation;
    return found;
  }
  int Told(v1::RendezvousRequest::Op op) {
    int count = 0;
    EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
      for (const v1::WorkerMessage& message : messages) count += message.rendezvous().op() == op;
      return true;
    }));
    return count;
  }
};

TEST_F(GangTest, ARunningTaskFormsTheNextGeneration) {
  StartWorker();
  scheduler_->Want({Member(1, {0, 1, 2})});
  EXPECT_EQ(AwaitFirstStep(1).generation_step(), 0);
  EXPECT_TRUE(AwaitLog("gang", "members: {\"generation\":1,"));
  EXPECT_TRUE(AwaitLog("gang", "ready: {\"id\":1,\"ok\":true}"));
  scheduler_->Want({Member(2, {0, 3})});
  EXPECT_TRUE(AwaitLog("gang",
                       "next: {\"id\":3,\"stale\":2}\nmembers: {\"generation\":2,\"ranks\":["
                       "{\"address\":\"10.0.0.0\",\"rank\":0,\"task\":0},"
                       "{\"address\":\"10.0.0.3\",\"rank\":1,\"task\":3}],"
                       "\"world_size\":2}\n"));
  const v1::TaskReport report = AwaitFirstStep(2);
  EXPECT_EQ(report.generation_step(), 10);
  EXPECT_EQ(report.last_step(), 20);
  EXPECT_EQ(report.first_step(), 1) << "of the task";
  EXPECT_GT(report.generation_step_unix_ms(), report.first_step_unix_ms());
}

TEST_F(GangTest, WhatHappensWhileTheSchedulerIsAwayIsToldToTheNextOne) {
  StartWorker();
  scheduler_->Want({Member(1, {0, 1, 2})});
  AwaitFirstStep(1);
  // It leaves right after it has told of the next generation.
  scheduler_->Want({Member(2, {0, 2})});
  ASSERT_TRUE(Poll([&] { return Told(v1::RendezvousRequest::READY) == 1; }));
  EXPECT_TRUE(AwaitLog("gang", "stale"));
  scheduler_->SetAway(true);
  usleep(800'000);  // it finishes its step meanwhile
  scheduler_->SetAway(false);
  EXPECT_EQ(AwaitFirstStep(2).generation_step(), 10);
  EXPECT_TRUE(Poll([&] { return Told(v1::RendezvousRequest::READY) == 2; }));
  EXPECT_TRUE(Poll([&] { return Told(v1::RendezvousRequest::LOST) >= 1; }));
}

TEST_F(GangTest, WhoIsLetGoFindsItsSuccessorsAndItsDeadline) {
  StartWorker();
  scheduler_->Want({Member(1, {0, 1, 2})});
  AwaitFirstStep(1);
  v1::WantedTask go = Member(2, {1, 2}, v1::WantedTask::STOP);
  go.set_stop_deadline_unix_ms((int64_t{time(nullptr)} + 2) * 1000);
  go.set_stop_reason("no longer needed");
  scheduler_->Want({go});
  EXPECT_TRUE(AwaitLog("gang", "stale\":2"));
  EXPECT_EQ(AwaitReport("gang", v1::TaskReport::EXITED).exit_code(), -SIGKILL)
      << "the program does not heed it";
}

}  // namespace
}  // namespace baton::worker
