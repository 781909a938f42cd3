// What a worker tells of itself and others for the placement of gangs and of jobs with data.
#include <gmock/gmock.h>

#include <fstream>

#include "common/artifact/transfer.h"
#include "tests/worker/daemon/worker_fixture.h"

namespace baton::worker {
namespace {

// The newest hello, of a worker that has said `count` of them.
v1::Hello AwaitHello(FakeScheduler& scheduler, int count) {
  v1::Hello hello;
  EXPECT_TRUE(scheduler.Await([&](const Messages& messages) {
    int seen = 0;
    for (const v1::WorkerMessage& message : messages) {
      if (!message.has_hello()) continue;
      hello = message.hello();
      ++seen;
    }
    return seen >= count;
  }));
  return hello;
}

TEST_F(WorkerTest, ProbesOthersAndAnswersThem) {
  // None of this machine's addresses, so that it answers at all of them.
  StartWorker({"--data-address", "192.0.2.7"});
  const v1::Hello hello = AwaitHello(*scheduler_, 1);
  ASSERT_GT(hello.probe_port(), 0);
  v1::SchedulerMessage message;
  const auto ask = [&](const std::string& node, const std::string& address) {
    v1::ProbeRequest::Target* target = message.mutable_probe()->add_targets();
    target->set_node_id(node);
    target->set_address(address);
    target->set_port(hello.probe_port());
  };
  ask(hello.node_id(), "127.0.0.1");
  ask("another", "127.0.0.2");
  // The welcome has to be there first.
  ASSERT_TRUE(scheduler_->Await(
      [](const Messages& messages) { return Count(messages, v1::WorkerMessage::kHeartbeat) > 0; }));
  scheduler_->Send(message);
  std::map<std::string, std::string> found;
  EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
    for (const v1::WorkerMessage& said : messages) {
      for (const auto& finding : said.probes().findings()) {
        EXPECT_EQ(finding.port(), hello.probe_port());
        found[finding.node_id()] = finding.error();
      }
    }
    return found.size() == 2;
  }));
  EXPECT_EQ(found[hello.node_id()], "");
  EXPECT_EQ(found["another"], "what answers there is not the worker of that node");
}

TEST_F(WorkerTest, WhereOnlyItsMachineReachesItNothingAnswers) {
  StartWorker();
  EXPECT_EQ(AwaitHello(*scheduler_, 1).probe_port(), 0);
}

TEST_F(WorkerTest, TellsWhatDataItHoldsNowAndInALaterLife) {
  fs::create_directories(folder_ + "/data");
  std::ofstream(folder_ + "/data/file") << "numbers";
  const auto data = artifact::UploadFolder(folder_ + "/data", scheduler_->artifacts());
  ASSERT_TRUE(data.ok());
  StartWorker();
  EXPECT_EQ(AwaitHello(*scheduler_, 1).cached_size(), 0);
  v1::WantedTask task = Task("job1", "true");
  v1::DataSet* set = task.mutable_spec()->add_data();
  set->set_name("d");
  set->set_digest(data->manifest);
  scheduler_->Want({task});
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 0);
  EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
    for (const v1::WorkerMessage& message : messages) {
      const v1::Heartbeat& beat = message.heartbeat();
      if (beat.cached_changed() && beat.cached_size() == 1 && beat.cached(0) == data->manifest) {
        return true;
      }
    }
    return false;
  }));
  kill(worker_, SIGKILL);
  AwaitWorkerExit();
  StartWorker();
  const v1::Hello again = AwaitHello(*scheduler_, 2);
  ASSERT_EQ(again.cached_size(), 1);
  EXPECT_EQ(again.cached(0), data->manifest);
}

}  // namespace
}  // namespace baton::worker
