#include "worker/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/artifact/blob.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "common/rpc/address.h"
#include "common/rpc/channel.h"
#include "common/status.h"
#include "worker/checkpoint/artifact_cache.h"
#include "worker/checkpoint/uploader.h"
#include "worker/data_sets.h"
#include "worker/environment_index.h"
#include "worker/hello.h"
#include "worker/link/messages.h"
#include "worker/link/probe_answers.h"
#include "worker/link/prober.h"
#include "worker/link/rendezvous.h"
#include "worker/link/session.h"
#include "worker/link/spool.h"
#include "worker/prepare_environment.h"
#include "worker/preparer.h"
#include "worker/runner.h"
#include "worker/setup/environments.h"
#include "worker/tunnel/tunnels.h"

extern char** environ;

namespace baton::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPollEvery{20};
constexpr size_t kMailboxCapacity = 1 << 20;
constexpr int64_t kFlushMsMax = 5'000;
constexpr size_t kDataToldMax = 256;
constexpr std::chrono::seconds kFinishLogMax{5};

// The worker's, with the trainer's folder behind all others in PATH: a program of a job may call
// it.
std::vector<std::string> OwnEnvironment(const std::string& trainer) {
  const std::string beside = trainer.substr(0, trainer.rfind('/'));
  std::vector<std::string> environment;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    environment.emplace_back(*at);
    std::string& variable = environment.back();
    if (absl::StartsWith(variable, "PATH=")) absl::StrAppend(&variable, ":", beside);
  }
  return environment;
}

class Daemon {
 public:
  Daemon(const DaemonOptions& options, const NodeFolder& folder,
         std::vector<std::unique_ptr<NoticeSource>> notices)
      : options_(options),
        folder_(folder),
        notices_(std::move(notices)),
        hello_(HelloOf(options, folder)),
        agent_(options.agent) {}

  ~Daemon() {
    ending_ = true;
    if (poller_.joinable()) poller_.join();
    // The link first: nothing is told any more. The tasks before what they use.
    if (prober_ != nullptr) prober_->Stop();
    session_.reset();
    tunnels_.reset();
    gpu_watch_.reset();
    runner_.reset();
    preparer_.reset();
    uploader_.reset();
  }

  absl::Status Run() {
    BATON_RETURN_IF_ERROR(Build());
    poller_ = std::thread([this] { PollUntilEnd(); });
    while (!finished_) {
      const int64_t wait_ms = agent_.NextWake(CurrentTime());
      std::vector<Item> items = mailbox_.TakeAll(milliseconds(std::max<int64_t>(wait_ms, 1)));
      for (const Item& item : items) {
        if (std::holds_alternative<LinkUp>(item.event)) stream_ = item.stream;
        Step(item.event);
      }
      if (items.empty()) Step(Tick{});
    }
    std::lock_guard<std::mutex> lock(refusal_mutex_);
    return refusal_;
  }

 private:
  struct Item {
    Event event;
    uint64_t stream = 0;  // with LinkUp
  };

  Now CurrentTime() const { return {clock_.UnixMillis(), clock_.MonotonicMillis()}; }

  void Post(Event event, uint64_t stream = 0) {
    if (!mailbox_.TryPush({std::move(event), stream})) {
      LogError("the worker's mailbox is full: an event is lost");
    }
  }

  void Step(const Event& event) {
    for (const Effect& effect : agent_.Step(event, CurrentTime())) {
      std::visit([this](const auto& e) { Do(e); }, effect);
    }
    idle_ = agent_.tasks().empty();
  }

  absl::Status Build() {
    rpc::ChannelOptions dial;
    dial.identity = options_.identity;
    BATON_ASSIGN_OR_RETURN(auto channel, rpc::Dial(options_.scheduler, dial));
    store_ = std::make_unique<artifact::BlobStore>(channel);
    tunnels_ = std::make_unique<Tunnels>(
        channel, [this](const TaskKey& key) { return folder_.TaskFolder(key); });
    cache_ = std::make_unique<ArtifactCache>(
        CacheOptions{folder_.cache(), options_.cache_bytes_max}, *store_);
    BATON_RETURN_IF_ERROR(OpenEnvironments(channel));
    SpoolOptions spool;
    spool.folder = folder_.spool();
    spool.bytes_max = options_.spool_bytes_max;
    BATON_ASSIGN_OR_RETURN(spool_,
                           Spool::Create(spool, [this](Chunk chunk) { return SendChunk(chunk); }));
    BATON_ASSIGN_OR_RETURN(
        rendezvous_, Rendezvous::Create(folder_.sockets(), [this](const v1::RendezvousRequest& r) {
          v1::WorkerMessage message;
          *message.mutable_rendezvous() = r;
          Send(std::move(message));
        }));
    uploader_ = std::make_unique<Uploader>(
        *store_, clock_,
        UploadEvents{
            [this](const UploadedCheckpoint& checkpoint) { Post(CheckpointUploaded{checkpoint}); },
            [this](const TaskKey& key, const UploadedOutput& output) {
              runner_->OnUploaded(key, output);
            },
            [this](const TaskKey& key, const std::string& text) { runner_->Complain(key, text); }});
    data_ = std::make_unique<DataSets>(*cache_, folder_.cache() + "/parts",
                                       OwnEnvironment(options_.trainer));
    const PreparerOptions preparer{
        .task_folder = [this](const TaskKey& key) { return folder_.TaskFolder(key); },
        .address = options_.facts.data_addresses.front(),
        .data = *data_,
        .environments = environments_.get(),
        .log = {.open =
                    [this](const TaskKey& key, const std::string& metrics_file) {
                      return spool_->Add(key, metrics_file);
                    },
                .finish = [this](const TaskKey& key) { return FinishLog(key); }}};
    preparer_ = std::make_unique<Preparer>(preparer, *cache_, clock_,
                                           [this](Event event) { Post(std::move(event)); });
    RunnerOptions runner{options_.keeper, options_.step_program, options_.trainer,
                         OwnEnvironment(options_.trainer), folder_.kept()};
    BATON_ASSIGN_OR_RETURN(
        runner_,
        Runner::Create(runner, RunnerParts{*preparer_, *spool_, *rendezvous_, *uploader_, clock_},
                       [this](Event event) { Post(std::move(event)); }));
    BATON_RETURN_IF_ERROR(WatchCards());
    BATON_RETURN_IF_ERROR(OpenProbes());
    SessionOptions session;
    session.address = options_.scheduler;
    session.identity = options_.identity;
    BATON_ASSIGN_OR_RETURN(
        session_, Session::Start(session, {[this](uint64_t stream) { Post(LinkUp{}, stream); },
                                           [this](const v1::SchedulerMessage& m) { Receive(m); },
                                           [this](const std::string&) {
                                             spool_->SetConnected(false);
                                             Post(LinkLost{});
                                           },
                                           [this] { spool_->Wake(); }}));
    session_ready_ = true;
    return absl::OkStatus();
  }

  absl::Status WatchCards() {
    if (hello_.gpus_size() == 0) return absl::OkStatus();
    BATON_ASSIGN_OR_RETURN(auto nvml, Nvml::Open());
    std::vector<int32_t> gpus;
    for (const v1::Gpu& gpu : hello_.gpus()) gpus.push_back(gpu.index());
    gpu_watch_ = std::make_unique<GpuWatch>(std::move(nvml), hello_.name(), std::move(gpus), clock_,
                                            [this] { return runner_->CardTasks(); });
    return absl::OkStatus();
  }

  // Where no other machine could reach this one there is nothing to show.
  absl::Status OpenProbes() {
    const std::string& address = options_.facts.data_addresses.front();
    if (rpc::IsLoopback(address)) return absl::OkStatus();
    auto answers = ProbeAnswers::Start(address, folder_.node_id());
    if (!answers.ok()) {
      LogWarning(absl::StrCat("no job will have ranks here and on other machines at once: ",
                              answers.status().message()));
      return absl::OkStatus();
    }
    probe_answers_ = *std::move(answers);
    hello_.set_probe_port(probe_answers_->port());
    BATON_ASSIGN_OR_RETURN(prober_, Prober::Start([this](const std::vector<ProbeFinding>& found) {
                             v1::WorkerMessage message;
                             *message.mutable_probes() = ToProto(found);
                             Send(std::move(message));
                           }));
    return absl::OkStatus();
  }

  absl::Status OpenEnvironments(const std::shared_ptr<grpc::Channel>& channel) {
    EnvironmentsOptions environments;
    environments.root =
        options_.environments.empty() ? folder_.environments() : options_.environments;
    BATON_RETURN_IF_ERROR(OpenEnvironmentsFolder(environments.root));
    environments.idle_bytes_max = options_.environments_bytes_max;
    environments.inherited = OwnEnvironment(options_.trainer);
    if (hello_.gpus_size() > 0) {
      if (const auto nvml = Nvml::Open(); nvml.ok()) {
        environments.cuda = (*nvml)->cuda_version();
        environments.driver = (*nvml)->driver_version();
      }
    }
    environment_index_ = SchedulersIndex(channel);
    environments_ = std::make_unique<Environments>(environments, *store_, *environment_index_);
    return absl::OkStatus();
  }

  // On a preparer's thread.
  int64_t FinishLog(const TaskKey& key) {
    auto bytes = std::make_shared<std::promise<int64_t>>();
    std::future<int64_t> future = bytes->get_future();
    spool_->Finish(key, [bytes](const StreamEnds& ends) { bytes->set_value(ends.log_bytes); });
    return future.wait_for(kFinishLogMax) == std::future_status::ready ? future.get() : 0;
  }

  void PollUntilEnd() {
    while (!ending_) {
      runner_->Poll();
      for (const auto& source : notices_) {
        for (Event& event : source->Poll(clock_.UnixMillis())) Post(std::move(event));
        source->SetIdle(idle_);
      }
      std::this_thread::sleep_for(kPollEvery);
    }
  }

  // On the session's threads.
  void Receive(const v1::SchedulerMessage& message) {
    switch (message.message_case()) {
      case v1::SchedulerMessage::kWelcome:
        return OnWelcome(message.welcome());
      case v1::SchedulerMessage::kWanted:
        return OnWanted(message.wanted());
      case v1::SchedulerMessage::kCheckpointAck: {
        const v1::CheckpointAck& ack = message.checkpoint_ack();
        return Post(
            CheckpointAcked{FromProto(ack.task()), ack.name(), ack.committed(), ack.refusal()});
      }
      case v1::SchedulerMessage::kStreamAck: {
        const v1::StreamAck& ack = message.stream_ack();
        return spool_->Acknowledge(FromProto(ack.task()), ack.metrics(), ack.offset());
      }
      case v1::SchedulerMessage::kRendezvous:
        return rendezvous_->OnAnswer(message.rendezvous());
      case v1::SchedulerMessage::kReportAck: {
        const v1::ReportAck& ack = message.report_ack();
        return Post(ReportAcked{FromProto(ack.task()), FromProto(ack.stage())});
      }
      case v1::SchedulerMessage::kProbe:
        if (prober_ != nullptr) prober_->Ask(FromProto(message.probe()));
        return;
      case v1::SchedulerMessage::kTunnel:
        return tunnels_->Open(message.tunnel());
      case v1::SchedulerMessage::kRefused:
        return OnRefused(message.refused().reason());
      case v1::SchedulerMessage::MESSAGE_NOT_SET:
        return;  // of a newer protocol: nothing that this one needs
    }
  }

  // It would say so again: another cluster, protocol or term. Whoever started this worker has to
  // mend it.
  void OnRefused(const std::string& reason) {
    std::lock_guard<std::mutex> lock(refusal_mutex_);
    refusal_ = absl::FailedPreconditionError(absl::StrCat(
        "the scheduler at ", options_.scheduler, " refuses this worker for good: ", reason));
    finished_ = true;
    Post(Tick{});
  }

  void OnWelcome(const v1::Welcome& welcome) {
    LogInfo(
        absl::StrCat("joined the scheduler at ", options_.scheduler, ", term ", welcome.term()));
    folder_.KeepClusterId(welcome.cluster_id());
    Post(Welcomed{welcome.term(), welcome.heartbeat_ms()});
    spool_->SetConnected(true);
    rendezvous_->Resend();
  }

  void OnWanted(const v1::WantedTasks& wanted) {
    absl::StatusOr<WantedSet> set = FromProto(wanted);
    if (set.ok()) return Post(*std::move(set));
    HangUpFor(absl::StrCat("a wanted set that can't be meant: ", set.status().message()));
  }

  void HangUpFor(const std::string& reason) {
    if (session_ready_) session_->HangUp(reason);
  }

  bool Send(v1::WorkerMessage message) {
    return session_ready_ && session_->Send(stream_, std::move(message));
  }

  bool SendChunk(const Chunk& chunk) {
    v1::WorkerMessage message;
    v1::StreamChunk* out = message.mutable_chunk();
    *out->mutable_task() = ToProto(chunk.key);
    out->set_metrics(chunk.metrics);
    out->set_offset(chunk.offset);
    out->set_data(chunk.bytes);
    return session_ready_ && session_->SendChunk(stream_, std::move(message));
  }

  void Do(const Prepare& effect) { preparer_->Prepare(effect.task); }
  void Do(const worker::Start& effect) { runner_->Start(effect.task); }
  void Do(const WriteDeadline& effect) {
    LogInfo(absl::StrCat("stopping job ", effect.key.job, " rank ", effect.key.rank, ": ",
                         effect.reason));
    runner_->WriteNotice(effect.key, TaskNotice::kDeadline, effect.deadline_ms, effect.reason);
  }
  void Do(const AskForSave& effect) {
    runner_->WriteNotice(effect.key, TaskNotice::kSave, effect.unix_ms, effect.reason);
  }
  void Do(const RemoveDeadline& effect) { runner_->RemoveDeadline(effect.key); }
  void Do(const Terminate& effect) { runner_->Terminate(effect); }
  void Do(const worker::Kill& effect) {
    preparer_->Cancel(effect.key);
    runner_->Kill(effect.key);
  }
  void Do(const Collect& effect) {
    tunnels_->EndTask(effect.key);
    runner_->Collect(effect);
  }
  void Do(const Forget& effect) {
    tunnels_->EndTask(effect.key);
    runner_->Remove(effect.key);
    preparer_->Remove(effect.key);
  }
  void Do(const RemoveCheckpoint& effect) {
    if (!effect.refusal.empty()) {
      const std::string text =
          absl::StrCat("checkpoint ", effect.name, " is not kept: ", effect.refusal);
      LogWarning(absl::StrCat("job ", effect.key.job, ": ", text));
      runner_->Complain(effect.key, text);
    }
    runner_->CheckpointDone(effect.key, effect.name, effect.refusal.empty());
  }
  void Do(const SendHello& effect) {
    v1::WorkerMessage message;
    *message.mutable_hello() = hello_;
    data_told_ = cache_->DataHeld(kDataToldMax);
    FillHello(effect, folder_, data_told_, *message.mutable_hello());
    Send(std::move(message));
  }
  void Do(const SendReport& effect) {
    v1::WorkerMessage message;
    *message.mutable_task() = ToProto(effect.report);
    Send(std::move(message));
  }
  void Do(const SendCheckpoint& effect) {
    v1::WorkerMessage message;
    *message.mutable_checkpoint() = ToProto(effect.checkpoint);
    Send(std::move(message));
  }
  void Do(const SendNotice& effect) {
    LogInfo(absl::StrCat(effect.notice.withdrawn ? "withdrawn: " : "", "notice of ",
                         effect.notice.kind, " by ", effect.notice.source));
    v1::WorkerMessage message;
    *message.mutable_notice() = ToProto(effect.notice);
    Send(std::move(message));
  }
  void Do(const SendHeartbeat& effect) {
    v1::WorkerMessage message;
    *message.mutable_heartbeat() = ToProto(effect);
    if (gpu_watch_ != nullptr) {
      for (const CardMemory& card : gpu_watch_->TakeMemory()) {
        v1::GpuUse* gpu = message.mutable_heartbeat()->add_gpus();
        gpu->set_index(card.gpu);
        if (card.used_bytes) gpu->set_memory_used_bytes(*card.used_bytes);
      }
    }
    TellData(message.mutable_heartbeat());
    Send(std::move(message));
  }
  // What the node holds of data, when that has changed since it was told last.
  void TellData(v1::Heartbeat* heartbeat) {
    std::vector<std::string> held = cache_->DataHeld(kDataToldMax);
    if (held == data_told_) return;
    heartbeat->set_cached_changed(true);
    for (const std::string& digest : held) heartbeat->add_cached(digest);
    data_told_ = std::move(held);
  }
  void Do(const HangUp& effect) { HangUpFor(effect.reason); }
  void Do(const Finish& effect) {
    Flush(effect.deadline_ms);
    v1::WorkerMessage message;
    message.mutable_goodbye()->set_reason(effect.reason);
    if (Send(std::move(message))) session_->Finish(1000);
    LogInfo(absl::StrCat("ending: ", effect.reason));
    finished_ = true;
  }

  // What tasks have printed last goes out with the node, if there is time.
  void Flush(int64_t deadline_ms) {
    const int64_t until_ms = std::min(deadline_ms, clock_.UnixMillis() + kFlushMsMax);
    while (connected() && spool_->Unacked() > 0 && clock_.UnixMillis() < until_ms) {
      std::this_thread::sleep_for(milliseconds(5));
    }
  }

  bool connected() const { return agent_.connected(); }

  const DaemonOptions& options_;
  const NodeFolder& folder_;
  const std::vector<std::unique_ptr<NoticeSource>> notices_;
  v1::Hello hello_;  // constant after Build
  const Clock& clock_ = SystemClock();
  Agent agent_;
  Mailbox<Item> mailbox_{kMailboxCapacity};
  std::atomic<bool> finished_{false};
  std::mutex refusal_mutex_;
  absl::Status refusal_;  // guarded by refusal_mutex_
  std::atomic<bool> ending_{false};
  std::atomic<bool> idle_{false};  // no task is here any more, its checkpoints are away
  std::atomic<bool> session_ready_{false};
  std::atomic<uint64_t> stream_{0};  // whose hello is said, or about to be

  std::unique_ptr<artifact::BlobStore> store_;
  std::unique_ptr<Tunnels> tunnels_;
  std::unique_ptr<ArtifactCache> cache_;
  std::unique_ptr<DataSets> data_;
  std::vector<std::string> data_told_;  // newest word on what is in the cache
  std::unique_ptr<EnvironmentIndex> environment_index_;
  std::unique_ptr<Environments> environments_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Rendezvous> rendezvous_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Preparer> preparer_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<GpuWatch> gpu_watch_;          // where there are cards
  std::unique_ptr<ProbeAnswers> probe_answers_;  // where other machines may reach this one
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<Session> session_;
  std::thread poller_;
};

}  // namespace

absl::Status RunDaemon(const DaemonOptions& options, const NodeFolder& folder,
                       std::vector<std::unique_ptr<NoticeSource>> notices) {
  return Daemon(options, folder, std::move(notices)).Run();
}

}  // namespace baton::worker
