#include "scheduler/edge/scheduler.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/local_dir.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/rpc/address.h"
#include "common/rpc/server.h"
#include "common/status.h"
#include "scheduler/access/entrance.h"
#include "scheduler/access/sealer.h"
#include "scheduler/edge/access_service.h"
#include "scheduler/edge/blob_service.h"
#include "scheduler/edge/client_service.h"
#include "scheduler/edge/collector.h"
#include "scheduler/edge/dataset_service.h"
#include "scheduler/edge/environment_book.h"
#include "scheduler/edge/environment_service.h"
#include "scheduler/edge/folder_lock.h"
#include "scheduler/edge/reactions.h"
#include "scheduler/edge/sweep_service.h"
#include "scheduler/edge/tunnel_service.h"
#include "scheduler/edge/worker_service.h"
#include "scheduler/store/recover.h"
#include "scheduler/store/rocksdb_journal.h"
#include "scheduler/store/rocksdb_store.h"

namespace baton::edge {
namespace {

constexpr int kWorkThreads = 4;
constexpr size_t kWorkWaitingMax = 20'000;
constexpr int64_t kShutdownGraceMs = 500;
constexpr int kExitInfrastructure = 6;
constexpr char kClusterKey[] = "cluster";

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? ErrnoStatus(error.value(), "make the folder " + folder) : absl::OkStatus();
}

// Made once, at the first start on a folder; workers remember it.
absl::StatusOr<std::string> ClusterId(store::Store& store, uint64_t term) {
  auto stored = store.Get(store::Table::kMeta, kClusterKey);
  if (stored.ok() || !absl::IsNotFound(stored.status())) return stored;
  std::string id = RandomId();
  store::Batch batch;
  batch.puts.push_back({.table = store::Table::kMeta, .key = kClusterKey, .value = id});
  BATON_RETURN_IF_ERROR(store.Commit(term, {std::move(batch)}));
  return id;
}

// The state cannot be trusted any more: nothing may be answered, and a restart recovers.
[[noreturn]] void EndAfter(const absl::Status& status) {
  LogError(
      absl::StrCat("the state could not be stored, so the scheduler ends; running tasks go on. ",
                   "Mend the cause and start it again: ", status.message()));
  std::_Exit(kExitInfrastructure);
}

}  // namespace

// In the order in which the parts are built; they go in the opposite one.
struct Scheduler::State {
  SchedulerOptions options;
  std::unique_ptr<FolderLock> lock;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<artifact::LocalDir> artifacts;
  ServerFacts facts;
  store::SharedValues shared;
  std::unique_ptr<store::Committer> committer;
  std::unique_ptr<core::Core> core;
  std::unique_ptr<access::Sealer> sealer;
  std::unique_ptr<SecretVault> secrets;
  std::unique_ptr<DataSetBook> datasets;
  std::unique_ptr<FetchedData> fetched;

  Progress progress;
  ProbeReports probes{ProbeReports::Limits{}};
  StreamEnds stream_ends;
  std::unique_ptr<Sessions> sessions;
  std::unique_ptr<RendezvousRelay> rendezvous;
  std::unique_ptr<WatchHub> watches;
  SweepRunner sweeps;
  std::unique_ptr<Reactions> reactions;
  std::unique_ptr<WorkQueue> work;
  std::unique_ptr<JournalWriter> journal_writer;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<Parts> parts;

  std::unique_ptr<MetricsView> metrics;
  std::unique_ptr<ClientCalls> calls;
  std::unique_ptr<ClientService> clients;
  std::unique_ptr<WorkerService> workers;
  std::unique_ptr<BlobService> blobs;
  std::unique_ptr<EnvironmentBook> environment_book;
  std::unique_ptr<EnvironmentService> environments;
  std::unique_ptr<access::Entrance> entrance;  // null: without TLS
  std::unique_ptr<AccessService> accesses;
  std::unique_ptr<TunnelService> tunnels;
  std::unique_ptr<SweepCalls> sweep_calls;
  std::unique_ptr<SweepService> sweep_service;
  std::unique_ptr<DataSetService> data;
  std::unique_ptr<Collector> collector;
  std::unique_ptr<rpc::Server> server;

  absl::Status OpenFolders();
  absl::Status Recover();
  absl::Status OpenBooks();
  void Wire();
  absl::Status OpenEntrance(bool tls);
  absl::Status Listen();
  absl::StatusOr<std::optional<rpc::Guard>> MakeGuard() const;
  std::string AddressFile() const { return options.data_dir + "/address"; }
};

absl::Status Scheduler::State::OpenFolders() {
  BATON_RETURN_IF_ERROR(MakeFolder(options.data_dir));
  BATON_ASSIGN_OR_RETURN(lock, FolderLock::Take(options.data_dir));
  BATON_RETURN_IF_ERROR(MakeFolder(options.blob_dir));
  BATON_ASSIGN_OR_RETURN(store, store::OpenRocksdbStore(options.data_dir + "/state"));
  BATON_ASSIGN_OR_RETURN(journal, store::OpenRocksdbJournal(options.data_dir + "/journal"));
  BATON_ASSIGN_OR_RETURN(artifacts, artifact::LocalDir::Open(options.blob_dir));
  BATON_ASSIGN_OR_RETURN(environment_book,
                         EnvironmentBook::Open(options.data_dir + "/environments", *artifacts,
                                               SystemClock(), EnvironmentLimits{}));
  return absl::OkStatus();
}

absl::Status Scheduler::State::Recover() {
  BATON_ASSIGN_OR_RETURN(facts.term, store->TakeTerm());
  BATON_RETURN_IF_ERROR(store::PrepareSchema(*store, facts.term));
  BATON_ASSIGN_OR_RETURN(facts.cluster_id, ClusterId(*store, facts.term));
  facts.lease_ms = options.lease_ms;
  facts.started_unix_ms = SystemClock().UnixMillis();
  state::Config config;
  config.lease_ms = options.lease_ms;
  BATON_ASSIGN_OR_RETURN(store::Recovered recovered, store::Recover(*store, config));
  LogInfo(absl::StrCat("term ", facts.term, ": ", recovered.state.jobs.size(), " jobs and ",
                       recovered.state.nodes.size(), " nodes recovered"));
  shared = std::move(recovered.shared);
  store::CommitterOptions limits;
  limits.core_version = core::kVersion;
  limits.segment_bytes = static_cast<uint64_t>(options.log_segment_bytes);
  limits.log_bytes = static_cast<uint64_t>(options.log_bytes);
  limits.log_age_ms = options.log_age_ms;
  BATON_ASSIGN_OR_RETURN(store::Committer opened, store::Committer::Open(*store, shared, limits));
  committer = std::make_unique<store::Committer>(std::move(opened));
  core = std::make_unique<core::Core>(std::move(recovered.state));
  return absl::OkStatus();
}

// What the edge keeps of jobs beside the state. A submit or a delete that was cut short by the
// scheduler's end may have left some of a job that is not there.
absl::Status Scheduler::State::OpenBooks() {
  BATON_ASSIGN_OR_RETURN(sealer, access::Sealer::Open(options.secrets_key));
  secrets = std::make_unique<SecretVault>(*store, facts.term, *sealer);
  BATON_ASSIGN_OR_RETURN(datasets, DataSetBook::Open(*store, facts.term));
  BATON_ASSIGN_OR_RETURN(fetched, FetchedData::Open(*store, facts.term));
  BATON_ASSIGN_OR_RETURN(const std::vector<state::JobId> keepers, secrets->Jobs());
  const auto& jobs = core->state().jobs;
  const auto& known_sweeps = core->state().sweeps;
  size_t left = 0;
  std::vector<state::JobId> without_job;
  for (const state::JobId& job : keepers) {
    const auto sweep = known_sweeps.find(job);
    const bool has_trials_to_come =
        sweep != known_sweeps.end() && !state::IsEnded(sweep->second.state);
    if (jobs.count(job) > 0 || has_trials_to_come) {
      ++left;
    } else {
      without_job.push_back(job);
    }
  }
  secrets->ForgetAll(without_job);
  if (left > 0 && sealer->made_key()) {
    LogWarning(absl::StrCat("the key of the jobs' secrets was not in ", options.secrets_key,
                            ", and a new one was made: ", left,
                            " jobs with secrets can't start until the old file is back"));
  }
  for (const state::JobId& job : fetched->Jobs()) {
    if (jobs.count(job) == 0) fetched->Forget(job);
  }
  return absl::OkStatus();
}

void Scheduler::State::Wire() {
  const Clock& clock = SystemClock();
  sessions = std::make_unique<Sessions>(Sessions::Options{.lease_ms = options.lease_ms}, progress);
  sessions->Recover(core->state(), clock.MonotonicMillis());
  rendezvous = std::make_unique<RendezvousRelay>(*sessions, Rendezvous::Limits{});
  watches = std::make_unique<WatchHub>(WatchHub::Options{});
  reactions = std::make_unique<Reactions>(Reactions::Targets{.sessions = *sessions,
                                                             .rendezvous = *rendezvous,
                                                             .watches = *watches,
                                                             .progress = progress,
                                                             .probes = probes,
                                                             .sweeps = sweeps});
  work = std::make_unique<WorkQueue>(kWorkThreads, kWorkWaitingMax);
  journal_writer =
      std::make_unique<JournalWriter>(*journal, JournalWriter::Options{},
                                      [this](const std::string& job) { watches->Changed(job); });
  // A delete that was cut short by the scheduler's end, and what workers may still send.
  for (const auto& [job, deleted] : core->state().deleted) {
    const absl::Status forgotten = journal_writer->Forget(job);
    if (!forgotten.ok()) {
      LogWarning(absl::StrCat("logs of deleted job ", job, ": ", forgotten.message()));
    }
  }
  Driver::Options limits;
  limits.lease_ms = options.lease_ms;
  driver = std::make_unique<Driver>(Driver::Parts{.store = *store,
                                                  .committer = *committer,
                                                  .shared = shared,
                                                  .core = *core,
                                                  .edge = *reactions,
                                                  .clock = clock,
                                                  .term = facts.term},
                                    limits, EndAfter);
  parts = std::make_unique<Parts>(Parts{.driver = *driver,
                                        .sessions = *sessions,
                                        .progress = progress,
                                        .probes = probes,
                                        .rendezvous = *rendezvous,
                                        .journal_writer = *journal_writer,
                                        .stream_ends = stream_ends,
                                        .watches = *watches,
                                        .work = *work,
                                        .journal = *journal,
                                        .store = *store,
                                        .artifacts = *artifacts,
                                        .datasets = *datasets,
                                        .fetched = *fetched,
                                        .secrets = *secrets,
                                        .clock = clock,
                                        .facts = facts});
  metrics = std::make_unique<MetricsView>(*journal);
  calls = std::make_unique<ClientCalls>(*parts, *metrics);
  clients = std::make_unique<ClientService>(*parts, *calls);
  workers = std::make_unique<WorkerService>(*parts);
  blobs = std::make_unique<BlobService>(*artifacts, clock);
  environments = std::make_unique<EnvironmentService>(*environment_book);
  tunnels = std::make_unique<TunnelService>(*parts);
  sweep_calls = std::make_unique<SweepCalls>(*parts, *metrics, *calls);
  sweep_service = std::make_unique<SweepService>(*sweep_calls);
  sweeps.Attach({.driver = *driver,
                 .work = *work,
                 .clock = clock,
                 .store = *store,
                 .sources = {.journal = *journal,
                             .ends = stream_ends,
                             .metrics = *metrics,
                             .started_ms = clock.MonotonicMillis(),
                             .lease_ms = options.lease_ms}});
  data = std::make_unique<DataSetService>(*parts);
}

absl::Status Scheduler::State::OpenEntrance(bool tls) {
  if (tls) {
    BATON_ASSIGN_OR_RETURN(entrance, access::Entrance::Open(options.data_dir, SystemClock()));
  }
  accesses = std::make_unique<AccessService>(entrance.get());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<rpc::Guard>> Scheduler::State::MakeGuard() const {
  if (entrance == nullptr) return std::nullopt;
  rpc::Guard guard;
  BATON_ASSIGN_OR_RETURN(guard.identity,
                         entrance->authority().CertifyScheduler(entrance->now_unix_s()));
  guard.admit = [door = entrance.get()](const rpc::Caller& caller, std::string* name) {
    const auto admitted = door->Admit(caller.method, caller.certificate, caller.token);
    if (admitted.ok()) *name = admitted->Word();
    return admitted.status();
  };
  return guard;
}

// Workers and clients of the run before know its address: a free choice takes it again.
absl::Status Scheduler::State::Listen() {
  const std::vector<grpc::Service*> services = {
      clients->service(), workers->service(),       blobs->service(), accesses->service(),
      tunnels->service(), sweep_service->service(), data->service(),  environments->service()};
  BATON_ASSIGN_OR_RETURN(const std::optional<rpc::Guard> guard, MakeGuard());
  const auto former = ReadFile(AddressFile());
  const bool any_port =
      options.listen.size() > 2 && options.listen.compare(options.listen.size() - 2, 2, ":0") == 0;
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  if (any_port && former.ok() && former->rfind(host + ":", 0) == 0) {
    auto again = rpc::Server::Start(*former, services, guard);
    if (again.ok()) server = *std::move(again);
  }
  if (server == nullptr) {
    BATON_ASSIGN_OR_RETURN(server, rpc::Server::Start(options.listen, services, guard));
  }
  return WriteFileAtomically(AddressFile(), server->address());
}

Scheduler::Scheduler(std::unique_ptr<State> state) : state_(std::move(state)) {}

Scheduler::~Scheduler() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Start(const SchedulerOptions& options) {
  // Before any folder is made: a mistake in the flags leaves nothing behind.
  BATON_ASSIGN_OR_RETURN(const rpc::Address address, rpc::ParseAddress(options.listen));
  auto state = std::make_unique<State>();
  state->options = options;
  BATON_RETURN_IF_ERROR(state->OpenFolders());
  BATON_RETURN_IF_ERROR(state->Recover());
  BATON_RETURN_IF_ERROR(state->OpenBooks());
  state->Wire();
  std::unique_ptr<Scheduler> scheduler(new Scheduler(std::move(state)));
  State& parts = *scheduler->state_;
  parts.driver->Start();
  BATON_RETURN_IF_ERROR(parts.OpenEntrance(options.tls || !rpc::IsLoopback(address.host)));
  BATON_RETURN_IF_ERROR(parts.Listen());
  parts.collector = std::make_unique<Collector>(
      *parts.driver, *parts.artifacts,
      Collector::Others{[&parts] { return parts.blobs->PinnedChunks(); },
                        [&parts] {
                          std::vector<std::string> named = parts.datasets->Manifests();
                          for (std::string& made : parts.environment_book->Manifests()) {
                            named.push_back(std::move(made));
                          }
                          return named;
                        }},
      Collector::Options{});
  return scheduler;
}

const std::string& Scheduler::address() const { return state_->server->address(); }

void Scheduler::Shutdown() {
  State& state = *state_;
  if (state.driver == nullptr) return;
  state.sessions->Freeze();
  state.collector.reset();
  if (state.server != nullptr) state.server->Shutdown(kShutdownGraceMs);
  state.journal_writer->Close();
  state.driver->Shutdown();
  state.work->Close();
  state.watches->Close();
}

}  // namespace baton::edge
