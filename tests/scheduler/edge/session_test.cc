// A worker's session and the clients' calls over the whole edge but gRPC: what the thread sanitizer
// can see of it.
#include <gtest/gtest.h>

#include "scheduler/edge/follow.h"
#include "tests/scheduler/edge/edge_fixture.h"

namespace baton::edge {
namespace {

v1::SubmitJobsRequest SecretSubmit() {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  v1::JobSpec* spec = request.add_jobs();
  spec->set_name("job");
  spec->mutable_ranks()->set_min(1);
  spec->mutable_ranks()->set_max(1);
  spec->add_command("true");
  spec->add_secret_names("TOKEN");
  v1::EnvironmentVariable* secret = request.add_secrets();
  secret->set_name("TOKEN");
  secret->set_value("hunter2");
  return request;
}

absl::Status Submit(EdgeFixture& edge, const v1::SubmitJobsRequest& request, std::string* id) {
  absl::Status answer;
  Flag flag;
  edge.calls.SubmitJobs(request, [&](const absl::Status& status, v1::SubmitJobsResponse response) {
    answer = status;
    if (response.job_ids_size() > 0) *id = response.job_ids(0);
    flag.Set();
  });
  flag.Await();
  return answer;
}

TEST(Session, SecretsGoToTheTaskAlone) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  v1::SubmitJobsRequest request = SecretSubmit();
  std::string id;
  ASSERT_TRUE(Submit(edge, request, &id).ok());
  const v1::WantedTask task = worker.AwaitRun();
  ASSERT_EQ(task.secrets_size(), 1);
  EXPECT_EQ(task.secrets(0).value(), "hunter2");
  EXPECT_EQ(task.spec().SerializeAsString().find("hunter2"), std::string::npos);
  EXPECT_EQ(GetJob(edge, id).SerializeAsString().find("hunter2"), std::string::npos);
  // The same request is the same job; with another value it is refused, and changes nothing.
  std::string again;
  ASSERT_TRUE(Submit(edge, request, &again).ok());
  EXPECT_EQ(again, id);
  request.mutable_secrets(0)->set_value("other");
  EXPECT_TRUE(absl::IsAlreadyExists(Submit(edge, request, &again)));
  EXPECT_EQ((*edge.secrets.Reveal(id))[0].second, "hunter2");
  // What is refused leaves none behind; a thread that may wait lets go of them.
  v1::SubmitJobsRequest refused = SecretSubmit();
  refused.mutable_jobs(0)->set_from_job("no-such-job");
  EXPECT_FALSE(Submit(edge, refused, &again).ok());
  edge.parts.work.Close();
  EXPECT_EQ(edge.secrets.Jobs()->size(), 1u);
}

TEST(Session, ATaskThatFetchedOtherBytesFails) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  v1::SubmitJobsRequest request = SecretSubmit();
  request.mutable_jobs(0)->set_retries(0);
  v1::DataSet* data = request.mutable_jobs(0)->add_data();
  data->set_name("d");
  data->set_uri("https://host/d");
  std::string id;
  ASSERT_TRUE(Submit(edge, request, &id).ok());
  const v1::WantedTask task = worker.AwaitRun();
  ASSERT_TRUE(edge.fetched->Record(id, {{"d", std::string(64, 'a'), 1}}).ok());
  EXPECT_EQ(GetJob(edge, id).spec().data(0).sha256(), std::string(64, 'a'));
  v1::WorkerMessage message;
  *message.mutable_task()->mutable_task() = task.task();
  message.mutable_task()->set_stage(v1::TaskReport::PREPARED);
  v1::DataSet* fetched = message.mutable_task()->add_data();
  fetched->set_name("d");
  fetched->set_sha256(std::string(64, 'b'));
  worker.Say(std::move(message));
  worker.Await([](const v1::SchedulerMessage& m) { return m.has_report_ack(); });
  EXPECT_NE(GetJob(edge, id).reason().find("data whose checksum changed: d had"), std::string::npos)
      << GetJob(edge, id).reason();
}

TEST(Session, AJobRunsThroughItWhileOthersLookOn) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  const std::string job = SubmitOne(edge);

  // A follower of its log and one of its state, pulling on their own.
  v1::ReadStreamsRequest read;
  read.set_job(job);
  read.set_kind(v1::LOG);
  read.set_follow(true);
  auto bytes = std::make_shared<BytesFollower>(edge.parts, read);
  std::string log;
  Flag log_over;
  std::function<void()> pull_log = [&] {
    bytes->Pull([&](std::optional<v1::ReadStreamsResponse> piece, const absl::Status& end) {
      EXPECT_TRUE(end.ok()) << end;
      if (!piece.has_value()) return log_over.Set();
      log += piece->data();
      pull_log();
    });
  };
  pull_log();
  v1::WatchJobRequest watch;
  watch.set_job(job);
  auto looks = std::make_shared<JobFollower>(edge.parts, edge.calls, watch);
  v1::JobState last = v1::JOB_STATE_UNSPECIFIED;
  Flag watch_over;
  std::function<void()> pull_job = [&] {
    looks->Pull([&](std::optional<v1::WatchJobResponse> look, const absl::Status& end) {
      EXPECT_TRUE(end.ok()) << end;
      if (!look.has_value()) return watch_over.Set();
      last = look->job().state();
      pull_job();
    });
  };
  pull_job();

  const v1::WantedTask run = worker.AwaitRun();
  EXPECT_EQ(run.spec().command(0), "true");
  worker.Report(run.task(), v1::TaskReport::RUNNING);
  v1::WorkerMessage heartbeat;
  v1::TaskProgress* progress = heartbeat.mutable_heartbeat()->add_progress();
  *progress->mutable_task() = run.task();
  progress->set_step(12);
  worker.Say(heartbeat);
  EXPECT_EQ(GetJob(edge, job).step(), 12);
  for (const char* line : {"one\n", "two\n"}) {
    v1::WorkerMessage chunk;
    *chunk.mutable_chunk()->mutable_task() = run.task();
    chunk.mutable_chunk()->set_offset(line[0] == 'o' ? 0 : 4);
    chunk.mutable_chunk()->set_data(line);
    worker.Say(chunk);
  }
  v1::WorkerMessage exited;
  *exited.mutable_task()->mutable_task() = run.task();
  exited.mutable_task()->set_stage(v1::TaskReport::EXITED);
  exited.mutable_task()->mutable_ends()->set_log_bytes(8);
  worker.Say(exited);
  worker.Await([](const v1::SchedulerMessage& m) {
    return m.has_report_ack() && m.report_ack().stage() == v1::TaskReport::EXITED;
  });
  log_over.Await();
  watch_over.Await();
  bytes->Stop();
  looks->Stop();
  EXPECT_EQ(log, "one\ntwo\n");
  EXPECT_EQ(last, v1::SUCCEEDED);
}

TEST(Session, TheMemoryOfCardsIsToldAndForgottenWithTheWorker) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  const auto cards = [&edge] {
    Flag over;
    std::vector<std::string> told;
    edge.calls.ListNodes([&](const absl::Status& status, const v1::ListNodesResponse& nodes) {
      EXPECT_TRUE(status.ok() && nodes.nodes_size() == 1) << status;
      for (const v1::NodeGpu& card : nodes.nodes(0).cards()) {
        told.push_back(absl::StrCat(
            card.index(), " ", card.type(), " ", card.memory_bytes(), " ",
            card.has_memory_used_bytes() ? absl::StrCat(card.memory_used_bytes()) : "?"));
      }
      over.Set();
    });
    over.Await();
    return told;
  };
  using Told = std::vector<std::string>;
  {
    WorkerEnd worker(edge, sequence);
    worker.Hello("n1", 2);
    EXPECT_EQ(cards(), (Told{"0 h200 900 ?", "1 h200 900 ?"}));
    v1::WorkerMessage heartbeat;
    for (const int card : {0, 1, 7}) {
      heartbeat.mutable_heartbeat()->add_gpus()->set_index(card);
    }
    heartbeat.mutable_heartbeat()->mutable_gpus(0)->set_memory_used_bytes(0);
    worker.Say(heartbeat);
    EXPECT_EQ(cards(), (Told{"0 h200 900 0", "1 h200 900 ?"}));
    heartbeat.mutable_heartbeat()->mutable_gpus(0)->clear_memory_used_bytes();
    heartbeat.mutable_heartbeat()->mutable_gpus(1)->set_memory_used_bytes(30);
    worker.Say(heartbeat);
    EXPECT_EQ(cards(), (Told{"0 h200 900 ?", "1 h200 900 30"}));
    heartbeat.mutable_heartbeat()->clear_gpus();
    worker.Say(heartbeat);
    EXPECT_EQ(cards()[1], "1 h200 900 30") << "no new look";
    v1::WorkerMessage goodbye;
    goodbye.mutable_goodbye()->set_reason("test");
    worker.Say(goodbye);
  }
  EXPECT_EQ(cards()[1], "1 h200 900 ?");
}

TEST(Session, TheRendezvousServesWantedTasksOnly) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  SubmitOne(edge);
  const v1::WantedTask run = worker.AwaitRun();
  EXPECT_EQ(worker.Meet(run.task(), v1::RendezvousRequest::SET, "k", "v").error(), "");
  EXPECT_EQ(worker.Meet(run.task(), v1::RendezvousRequest::WAIT, "k").value(), "v");
  v1::TaskId forged = run.task();
  forged.set_token(run.task().token() + 1);
  EXPECT_NE(worker.Meet(forged, v1::RendezvousRequest::SET, "k", "w").error(), "");
  EXPECT_NE(worker.Meet(run.task(), v1::RendezvousRequest::OP_UNSPECIFIED, "k").error(), "");
}

TEST(Session, BytesOfTasksThatNeverWereAreNotStored) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  v1::WorkerMessage chunk;
  chunk.mutable_chunk()->mutable_task()->set_job_id("nojob");
  chunk.mutable_chunk()->set_data("spam");
  worker.Say(chunk);
  // The worker may forget them all the same.
  EXPECT_EQ(worker.Await([](const v1::SchedulerMessage& m) { return m.has_stream_ack(); })
                .stream_ack()
                .offset(),
            4);
  EXPECT_TRUE(edge.journal.Streams("nojob")->empty());
}

TEST(Session, OverlongPiecesAndWrongFirstWordsEndIt) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  const auto is_refused = [](const v1::SchedulerMessage& m) { return m.has_refused(); };
  WorkerEnd rude(edge, sequence);
  rude.Say(v1::WorkerMessage());
  EXPECT_NE(rude.Await(is_refused).refused().reason().find("hello"), std::string::npos);
  WorkerEnd loud(edge, sequence);
  loud.Hello("n1");
  v1::WorkerMessage chunk;
  chunk.mutable_chunk()->set_data(std::string((64 << 10) + 1, 'x'));
  loud.Say(chunk);
  EXPECT_NE(loud.Await(is_refused).refused().reason(), "");
}

TEST(Session, AGoodbyeLosesTheNodeAtOnce) {
  EdgeFixture edge;
  std::atomic<uint64_t> sequence{0};
  WorkerEnd worker(edge, sequence);
  worker.Hello("n1");
  const std::string job = SubmitOne(edge);
  worker.AwaitRun();
  v1::WorkerMessage goodbye;
  goodbye.mutable_goodbye()->set_reason("told to end");
  worker.Say(goodbye);
  // The event is in the core before the next read.
  const v1::Job after = GetJob(edge, job);
  ASSERT_GE(after.attempts_size(), 1);
  EXPECT_NE(after.attempts(0).end_unix_ms(), 0);
  EXPECT_EQ(edge.sessions.size(), 0u);
}

}  // namespace
}  // namespace baton::edge
