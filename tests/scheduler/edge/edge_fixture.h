// The whole edge but gRPC, over memory, and a worker's end of a session with it.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "common/ids.h"
#include "scheduler/access/sealer.h"
#include "scheduler/edge/client_calls.h"
#include "scheduler/edge/reactions.h"
#include "scheduler/edge/task_extras.h"
#include "scheduler/edge/worker_session.h"
#include "tests/fakes/memory_journal.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {

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
    hello_ = *hello;
    Hello(hello_);
  }
  v1::WantedTask AwaitRun() {
    return Await([](const v1::SchedulerMessage& m) {
             return m.has_wanted() && m.wanted().tasks_size() == 1 &&
                    m.wanted().tasks(0).goal() == v1::WantedTask::RUN;
           })
        .wanted()
        .tasks(0);
  }
  // As in a new process' first words, or those of the same one after its line was broken.
  void Hello(const v1::Hello& hello) {
    v1::WorkerMessage message;
    *message.mutable_hello() = hello;
    Say(std::move(message));
    Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  }
  const v1::Hello& hello() const { return hello_; }
  void Report(const v1::TaskId& task, v1::TaskReport::Stage stage) {
    v1::WorkerMessage message;
    *message.mutable_task()->mutable_task() = task;
    message.mutable_task()->set_stage(stage);
    message.mutable_task()->set_address("127.0.0.1");
    message.mutable_task()->set_port(4'000);
    Say(std::move(message));
  }
  // In the first generation.
  v1::RendezvousAnswer Meet(const v1::TaskId& task, v1::RendezvousRequest::Op op,
                            const std::string& key, const std::string& value = "") {
    v1::RendezvousRequest request;
    *request.mutable_task() = task;
    request.set_op(op);
    request.set_generation(1);
    request.set_key(key);
    request.set_value(value);
    return Meet(std::move(request));
  }
  v1::RendezvousAnswer Meet(v1::RendezvousRequest request) {
    const uint64_t id = ++next_id_;
    request.set_id(id);
    v1::WorkerMessage message;
    *message.mutable_rendezvous() = std::move(request);
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
  v1::Hello hello_;
  std::shared_ptr<Outbox> outbox_;
  std::shared_ptr<WorkerSession> session_;
};

inline std::string SubmitOne(EdgeFixture& edge) {
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

inline v1::Job GetJob(EdgeFixture& edge, const std::string& id) {
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

}  // namespace baton::edge
