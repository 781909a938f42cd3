// A worker's session and the clients' calls over the whole edge but gRPC: what the thread sanitizer
// can see of it.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "common/ids.h"
#include "scheduler/access/sealer.h"
#include "scheduler/edge/client_calls.h"
#include "scheduler/edge/follow.h"
#include "scheduler/edge/reactions.h"
#include "scheduler/edge/task_extras.h"
#include "scheduler/edge/worker_session.h"
#include "tests/fakes/memory_journal.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

// Holds no artifact but those that the test names.
class NamedArtifacts : public artifact::Store {
 public:
  absl::StatusOr<std::vector<std::string>> MissingChunks(const std::vector<std::string>&) override {
    return std::vector<std::string>();
  }
  absl::Status PutChunk(const std::string&, absl::string_view) override {
    return absl::UnimplementedError("not asked");
  }
  absl::StatusOr<std::string> GetChunk(const std::string&) override {
    return absl::UnimplementedError("not asked");
  }
  absl::StatusOr<std::string> PutManifest(absl::string_view) override {
    return absl::UnimplementedError("not asked");
  }
  absl::StatusOr<std::string> GetManifest(const std::string& digest) override {
    const auto it = manifests.find(digest);
    if (it == manifests.end()) return absl::NotFoundError("no such manifest");
    return it->second;
  }
  std::map<std::string, std::string> manifests;  // filled before use
};

// All parts of a scheduler's edge, over memory.
struct EdgeFixture {
  EdgeFixture() {
    const DriverFixture& f = driver;
    sessions.Recover(f.core->state(), f.clock.MonotonicMillis());
    driver.driver->Start();
  }
  ~EdgeFixture() {
    sessions.Freeze();
    writer.Close();
    driver.driver->Shutdown();
    work.Close();
    watches.Close();
  }

  store::MemoryStore memory;
  store::MemoryJournal journal;
  NamedArtifacts artifacts;
  Progress progress;
  ProbeReports probes{ProbeReports::Limits{}};
  StreamEnds ends;
  Sessions sessions{{}, progress};
  RendezvousRelay rendezvous{sessions, {}};
  WatchHub watches{{.interval_ms = 1, .bytes_interval_ms = 1, .idle_interval_ms = 20}};
  SweepRunner sweeps;  // nobody asks it here
  Reactions reactions{{sessions, rendezvous, watches, progress, probes, sweeps}};
  WorkQueue work{2, 1'000};
  JournalWriter writer{journal, {}, [this](const std::string& job) { watches.Changed(job); }};
  DriverFixture driver{memory, reactions, {.tick_ms = 1}};
  std::unique_ptr<access::Sealer> sealer =
      *access::Sealer::Open(testing::TempDir() + "/session_test." + RandomId());
  SecretVault secrets{driver.held, 1, *sealer};
  std::unique_ptr<DataSetBook> datasets = *DataSetBook::Open(driver.held, 1);
  std::unique_ptr<FetchedData> fetched = *FetchedData::Open(driver.held, 1);
  Parts parts{.driver = *driver.driver,
              .sessions = sessions,
              .progress = progress,
              .probes = probes,
              .rendezvous = rendezvous,
              .journal_writer = writer,
              .stream_ends = ends,
              .watches = watches,
              .work = work,
              .journal = journal,
              .store = driver.held,
              .artifacts = artifacts,
              .datasets = *datasets,
              .fetched = *fetched,
              .secrets = secrets,
              .clock = driver.clock,
              .facts = {.term = 1, .cluster_id = "cluster"}};
  MetricsView metrics{journal};
  ClientCalls calls{parts, metrics};
};

// The worker's end of a session: what it is told can be awaited.
class WorkerEnd {
 public:
  WorkerEnd(EdgeFixture& edge, std::atomic<uint64_t>& sequence) {
    outbox_ = std::make_shared<Outbox>(
        1, sequence, Outbox::Limits{},
        [this] {
          std::lock_guard<std::mutex> lock(mutex_);
          ready_ = true;
          changed_.notify_all();
        },
        [&edge](v1::WantedTask* task) { AddExtras(edge.parts, task); });
    session_ = std::make_shared<WorkerSession>(edge.parts, "", outbox_);
  }
  ~WorkerEnd() { session_->OnEnd(); }

  void Say(v1::WorkerMessage message) {
    Flag read_on;
    session_->OnMessage(std::move(message), [&] { read_on.Set(); });
    read_on.Await();
  }
  v1::SchedulerMessage Await(const std::function<bool(const v1::SchedulerMessage&)>& is_so) {
    while (true) {
      while (auto message = outbox_->Take()) {
        if (is_so(*message)) return *message;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return ready_; });
      ready_ = false;
    }
  }
  void Hello(const std::string& name, int gpus = 0) {
    v1::WorkerMessage message;
    v1::Hello* hello = message.mutable_hello();
    hello->set_node_id(RandomId());
    hello->set_incarnation(RandomId());
    hello->set_name(name);
    hello->set_protocol_min(kProtocolMin);
    hello->set_protocol_max(kProtocolMax);
    hello->set_cpus_milli(1'000);
    hello->set_memory_bytes(1 << 30);
    for (int i = 0; i < gpus; ++i) {
      v1::Gpu* gpu = hello->add_gpus();
      gpu->set_index(i);
      gpu->set_type("h200");
      gpu->set_memory_bytes(900);
    }
    hello->add_data_addresses("127.0.0.1");
    hello->set_host_id("host");
    hello->set_device_kind("cpu");
    Say(std::move(message));
    Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  }
  v1::WantedTask AwaitRun() {
    return Await([](const v1::SchedulerMessage& m) {
             return m.has_wanted() && m.wanted().tasks_size() == 1 &&
                    m.wanted().tasks(0).goal() == v1::WantedTask::RUN;
           })
        .wanted()
        .tasks(0);
  }
  void Report(const v1::TaskId& task, v1::TaskReport::Stage stage) {
    v1::WorkerMessage message;
    *message.mutable_task()->mutable_task() = task;
    message.mutable_task()->set_stage(stage);
    message.mutable_task()->set_address("127.0.0.1");
    message.mutable_task()->set_port(4'000);
    Say(std::move(message));
  }
  v1::RendezvousAnswer Meet(const v1::TaskId& task, v1::RendezvousRequest::Op op,
                            const std::string& key, const std::string& value = "") {
    v1::WorkerMessage message;
    v1::RendezvousRequest* request = message.mutable_rendezvous();
    *request->mutable_task() = task;
    request->set_id(++next_id_);
    request->set_op(op);
    request->set_key(key);
    request->set_value(value);
    const uint64_t id = next_id_;
    Say(std::move(message));
    return Await([id](const v1::SchedulerMessage& m) {
             return m.has_rendezvous() && m.rendezvous().id() == id;
           })
        .rendezvous();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  uint64_t next_id_ = 0;
  std::shared_ptr<Outbox> outbox_;
  std::shared_ptr<WorkerSession> session_;
};

std::string SubmitOne(EdgeFixture& edge) {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  v1::JobSpec* spec = request.add_jobs();
  spec->set_name("job");
  spec->mutable_ranks()->set_min(1);
  spec->mutable_ranks()->set_max(1);
  spec->add_command("true");
  std::string id;
  Flag flag;
  edge.calls.SubmitJobs(request, [&](const absl::Status& status, v1::SubmitJobsResponse response) {
    EXPECT_TRUE(status.ok()) << status;
    if (response.job_ids_size() > 0) id = response.job_ids(0);
    flag.Set();
  });
  flag.Await();
  return id;
}

v1::Job GetJob(EdgeFixture& edge, const std::string& id) {
  v1::GetJobRequest request;
  request.set_job(id);
  v1::Job job;
  Flag flag;
  edge.calls.GetJob(request, [&](const absl::Status& status, v1::GetJobResponse response) {
    EXPECT_TRUE(status.ok()) << status;
    job = response.job();
    flag.Set();
  });
  flag.Await();
  return job;
}

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
