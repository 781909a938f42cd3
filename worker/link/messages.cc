#include "worker/link/messages.h"

#include <csignal>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr int64_t kNoticeGraceMsDefault = 10'000;
// Words of programs and names of files are in it, and the wire takes UTF-8 only.
constexpr size_t kErrorBytesMax = 2'000;

int SignalOf(v1::NoticeSignal signal) {
  if (signal == v1::NOTICE_SIGNAL_NONE) return 0;
  return signal == v1::NOTICE_SIGNAL_USR1 ? SIGUSR1 : SIGTERM;
}

std::shared_ptr<const TaskSpec> SpecOf(const v1::WantedTask& task) {
  const v1::JobSpec& proto = task.spec();
  auto spec = std::make_shared<TaskSpec>();
  spec->package_digest = proto.package_digest();
  spec->spec_file = proto.spec_file();
  spec->data_digest = proto.data_digest();
  spec->command.assign(proto.command().begin(), proto.command().end());
  for (const v1::EnvironmentVariable& variable : proto.environment()) {
    spec->environment.emplace_back(variable.name(), variable.value());
  }
  spec->params_json = proto.params_json();
  spec->notice_grace_ms =
      proto.notice_grace_ms() > 0 ? proto.notice_grace_ms() : kNoticeGraceMsDefault;
  spec->checkpoints_of_rank0_only = proto.checkpoint().from() == v1::CheckpointPolicy::RANK0;
  spec->checkpoint_globs.assign(proto.checkpoint().globs().begin(),
                                proto.checkpoint().globs().end());
  spec->notice_signal = SignalOf(proto.notice_signal());
  spec->holds_its_node = proto.launch() == v1::LAUNCH_NODE;
  spec->setup.assign(proto.prepare().setup().begin(), proto.prepare().setup().end());
  spec->environment_use = proto.prepare().use();
  spec->environment_file = proto.prepare().file();
  spec->image = proto.prepare().image();
  for (const v1::DataSet& data : proto.data()) {
    spec->data.push_back({data.name(), data.uri(), data.digest(), data.sha256()});
  }
  for (const v1::MetricPattern& metric : proto.metrics()) {
    spec->metrics.push_back({metric.name(), metric.pattern()});
  }
  for (const v1::DataSet& data : task.fetched()) {
    spec->fetched.push_back({data.name(), data.sha256(), data.bytes()});
  }
  for (const v1::EnvironmentVariable& secret : task.secrets()) {
    spec->secrets.emplace_back(secret.name(), secret.value());
  }
  spec->secrets_error = task.secrets_error();
  return spec;
}

absl::StatusOr<Goal> GoalOf(v1::WantedTask::Goal goal) {
  switch (goal) {
    case v1::WantedTask::PREPARE:
      return Goal::kPrepare;
    case v1::WantedTask::RUN:
      return Goal::kRun;
    case v1::WantedTask::STOP:
      return Goal::kStop;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("a task with the unknown goal ", static_cast<int>(goal)));
  }
}

absl::StatusOr<Wanted> WantedOf(const v1::WantedTask& proto) {
  Wanted wanted;
  wanted.key = FromProto(proto.task());
  absl::StatusOr<Goal> goal = GoalOf(proto.goal());
  if (!goal.ok()) return goal.status();
  wanted.goal = *goal;
  if (proto.has_spec()) wanted.spec = SpecOf(proto);
  wanted.world_size = std::max(1, proto.world_size());
  wanted.local_rank = proto.local_rank();
  wanted.local_world_size = std::max(1, proto.local_world_size());
  wanted.node_rank = proto.node_rank();
  wanted.nodes = std::max(1, proto.nodes());
  wanted.gpus.assign(proto.gpus().begin(), proto.gpus().end());
  const v1::Resources& resources =
      proto.has_resources() ? proto.resources() : proto.spec().resources();
  if (resources.cpus_milli() > 0) wanted.cpus_milli = resources.cpus_milli();
  wanted.disk_bytes = resources.disk_bytes();
  wanted.generation = proto.generation();
  wanted.mtbf_ms = std::max<int64_t>(0, proto.mtbf_ms());
  for (const v1::Peer& peer : proto.peers()) {
    wanted.peers.push_back({peer.rank(), peer.node(), peer.address(), peer.port()});
  }
  if (proto.has_resume()) {
    wanted.resume = {proto.resume().name(), proto.resume().step(),
                     proto.resume().manifest_digest()};
  }
  wanted.stop_deadline_ms = proto.stop_deadline_unix_ms();
  wanted.stop_reason = proto.stop_reason();
  wanted.stop_for_good = proto.stop_for_good();
  if (wanted.key.job.empty() || wanted.key.job.find('/') != std::string::npos ||
      wanted.key.job[0] == '.') {
    return absl::InvalidArgumentError(absl::StrCat("a task of job '", wanted.key.job, "'"));
  }
  if (wanted.key.rank < 0 || wanted.key.rank >= wanted.world_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "job ", wanted.key.job, ": rank ", wanted.key.rank, " of a world of ", wanted.world_size));
  }
  return wanted;
}

}  // namespace

v1::TaskId ToProto(const TaskKey& key) {
  v1::TaskId id;
  id.set_job_id(key.job);
  id.set_attempt(key.attempt);
  id.set_rank(key.rank);
  id.set_token(key.token);
  return id;
}

TaskKey FromProto(const v1::TaskId& id) {
  return {id.job_id(), id.attempt(), id.rank(), id.token()};
}

v1::TaskReport ToProto(const Report& report) {
  v1::TaskReport proto;
  *proto.mutable_task() = ToProto(report.key);
  // The two enumerations have the same order.
  proto.set_stage(static_cast<v1::TaskReport::Stage>(report.stage));
  proto.set_unix_ms(report.at_ms);
  proto.set_exit_code(report.exit_code);
  proto.set_error(Printable(report.error, kErrorBytesMax));
  proto.set_first_step(report.first_step);
  proto.set_first_step_unix_ms(report.first_step_ms);
  proto.set_last_step(report.last_step);
  proto.set_last_step_unix_ms(report.last_step_ms);
  proto.set_setup_ms(report.setup_ms);
  proto.set_restore_ms(report.restore_ms);
  proto.set_save_ms(report.save_ms);
  proto.set_address(report.address);
  proto.set_port(report.port);
  proto.set_pid(report.pid);
  proto.set_output_digest(report.output_digest);
  proto.set_output_bytes(report.output_bytes);
  proto.set_infrastructure(report.infrastructure);
  proto.set_bad_checkpoint(report.bad_checkpoint);
  proto.set_exit_cause(report.exit_cause);
  for (const Fetched& fetched : report.data) {
    v1::DataSet* data = proto.add_data();
    data->set_name(fetched.name);
    data->set_sha256(fetched.sha256);
    data->set_bytes(fetched.bytes);
  }
  proto.set_environment_json(report.environment_json);
  if (report.stage == Stage::kExited || report.stage == Stage::kFailed) {
    proto.mutable_ends()->set_log_bytes(report.log_bytes);
    proto.mutable_ends()->set_metrics_bytes(report.metrics_bytes);
  }
  return proto;
}

Stage FromProto(v1::TaskReport::Stage stage) {
  return stage >= v1::TaskReport::PREPARED && stage <= v1::TaskReport::FAILED
             ? static_cast<Stage>(stage)
             : Stage::kNone;
}

v1::CheckpointReport ToProto(const UploadedCheckpoint& checkpoint) {
  v1::CheckpointReport proto;
  *proto.mutable_task() = ToProto(checkpoint.key);
  proto.set_name(checkpoint.name);
  proto.set_step(checkpoint.step);
  proto.set_bytes(checkpoint.bytes);
  proto.set_manifest_digest(checkpoint.manifest_digest);
  proto.set_taken_unix_ms(checkpoint.taken_ms);
  return proto;
}

v1::NoticeReport ToProto(const Notice& notice) {
  v1::NoticeReport proto;
  proto.set_source(notice.source);
  proto.set_kind(notice.kind);
  proto.set_deadline_unix_ms(notice.withdrawn ? 0 : notice.deadline_ms);
  proto.set_certain(notice.certain);
  proto.set_noticed_unix_ms(notice.noticed_ms);
  proto.set_withdrawn(notice.withdrawn);
  return proto;
}

v1::Heartbeat ToProto(const SendHeartbeat& heartbeat) {
  v1::Heartbeat proto;
  for (const StepProgress& progress : heartbeat.progress) {
    v1::TaskProgress* out = proto.add_progress();
    *out->mutable_task() = ToProto(progress.key);
    out->set_step(progress.step);
    out->set_step_unix_ms(progress.at_ms);
    out->set_save_ms(progress.save_ms);
  }
  return proto;
}

v1::ProbeReport ToProto(const std::vector<ProbeFinding>& found) {
  v1::ProbeReport proto;
  for (const ProbeFinding& finding : found) {
    v1::ProbeReport::Finding* out = proto.add_findings();
    out->set_node_id(finding.node);
    out->set_port(finding.port);
    out->set_error(finding.error);
  }
  return proto;
}

std::vector<ProbeTarget> FromProto(const v1::ProbeRequest& request) {
  std::vector<ProbeTarget> targets;
  for (const v1::ProbeRequest::Target& target : request.targets()) {
    targets.push_back({target.node_id(), target.address(), target.port()});
  }
  return targets;
}

absl::StatusOr<WantedSet> FromProto(const v1::WantedTasks& proto) {
  WantedSet set;
  set.term = proto.term();
  set.sequence = proto.sequence();
  std::set<TaskKey> seen;
  for (const v1::WantedTask& task : proto.tasks()) {
    absl::StatusOr<Wanted> wanted = WantedOf(task);
    if (!wanted.ok()) return wanted.status();
    if (!seen.insert(wanted->key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("job ", wanted->key.job, ": rank ", wanted->key.rank, " is there twice"));
    }
    set.tasks.push_back(*std::move(wanted));
  }
  return set;
}

}  // namespace baton::worker
