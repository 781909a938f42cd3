#include "scheduler/edge/from_wire.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/data_uri.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/status.h"
#include "scheduler/edge/fleet_wire.h"
#include "scheduler/edge/validate.h"

namespace baton::edge {
namespace {

constexpr size_t kTextMax = 4'096;
constexpr int kListMax = 256;
constexpr int kReportsMax = 10'000;
constexpr int kCheckpointsKeptDefault = 3;
constexpr size_t kEnvironmentMax = 16 << 10;
// What has to be installed first may be compiled first.
constexpr int64_t kEnvironmentLimitMs = 3'600'000;

bool IsHexId(const std::string& text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

state::Capacity CapacityFromWire(v1::Capacity capacity) {
  if (capacity == v1::CAPACITY_SPOT) return state::Capacity::kSpot;
  if (capacity == v1::CAPACITY_ON_DEMAND) return state::Capacity::kOnDemand;
  return state::Capacity::kAuto;
}

state::Resources ResourcesFromWire(const v1::Resources& wire) {
  state::Resources resources;
  resources.cpus_milli = wire.cpus_milli() == 0 ? 1000 : wire.cpus_milli();
  resources.memory_bytes = wire.memory_bytes();
  resources.gpus = wire.gpus();
  resources.gpu_type = wire.gpu_type();
  resources.gpu_memory_bytes = wire.gpu_memory_bytes();
  resources.disk_bytes = wire.disk_bytes();
  return resources;
}

// How long a slow line may need for the job's data, an hour where nobody knows how much it is, and
// all else; 0: there is nothing to fetch.
int64_t DataLimitMillis(const v1::JobSpec& wire) {
  constexpr int64_t kElseMs = 120'000;
  constexpr int64_t kBytesPerMs = 2'000;
  constexpr int64_t kUnknownMs = 3'600'000;
  constexpr int64_t kMillisMax = 24 * 3'600'000;
  int64_t total_ms = 0;
  for (const v1::DataSet& data : wire.data()) {
    if (DataKindOf(data.uri()) == DataKind::kNode) continue;
    total_ms +=
        data.digest().empty() ? kUnknownMs : std::max<int64_t>(0, data.bytes()) / kBytesPerMs;
    total_ms = std::min(total_ms, kMillisMax);
  }
  return total_ms == 0 ? 0 : total_ms + kElseMs;
}

// The name is not part of it, so that jobs that differ in nothing else share one object.
state::JobSpec SpecFromWire(const v1::JobSpec& wire, bool queue_anyway) {
  state::JobSpec spec;
  if (!wire.project().empty()) spec.project = wire.project();
  spec.priority = wire.priority();
  spec.ranks_min = wire.ranks().min();
  spec.ranks_max = wire.ranks().max();
  spec.shards = wire.shards();
  spec.ranks_per_node = wire.ranks_per_node();
  spec.resources = ResourcesFromWire(wire.resources());
  for (const v1::Resources& other : wire.any_of()) {
    spec.any_of.push_back(ResourcesFromWire(other));
  }
  spec.retries = wire.retries();
  spec.capacity = CapacityFromWire(wire.capacity());
  for (const v1::Label& label : wire.require())
    spec.require.push_back({label.key(), label.value()});
  spec.checkpoints_kept =
      wire.checkpoint().keep() == 0 ? kCheckpointsKeptDefault : wire.checkpoint().keep();
  spec.time_limit_ms = wire.time_limit_ms();
  spec.notice_grace_ms = wire.notice_grace_ms();
  spec.prepare_limit_ms =
      std::max(wire.has_prepare() ? kEnvironmentLimitMs : 0, DataLimitMillis(wire));
  spec.queue_anyway = queue_anyway;
  spec.data = DataKeys(wire);
  spec.from_job = wire.from_job();
  spec.from_checkpoint = wire.from_checkpoint();
  v1::JobSpec nameless = wire;
  nameless.clear_name();
  spec.wire = nameless.SerializeAsString();
  return spec;
}

// The first 8 bytes of the SHA-256 of the request without its id: a repeated call has the same. It
// is stored, so a guess at a secret must not be checked by it: in their place stands a MAC.
uint64_t DigestOf(const v1::SubmitJobsRequest& request, absl::string_view secrets_mac) {
  v1::SubmitJobsRequest without_id = request;
  without_id.clear_request_id();
  without_id.clear_secrets();
  return RequestDigest(absl::StrCat(without_id.SerializeAsString(), secrets_mac));
}

absl::Status CheckText(const std::string& text, absl::string_view field) {
  if (text.size() <= kTextMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": is longer than ", kTextMax, " bytes"));
}

absl::StatusOr<state::TaskStage> StageFromWire(v1::TaskReport::Stage stage) {
  switch (stage) {
    case v1::TaskReport::PREPARED:
      return state::TaskStage::kPrepared;
    case v1::TaskReport::RUNNING:
      return state::TaskStage::kRunning;
    case v1::TaskReport::FIRST_STEP:
      return state::TaskStage::kFirstStep;
    case v1::TaskReport::EXITED:
      return state::TaskStage::kExited;
    case v1::TaskReport::FAILED:
      return state::TaskStage::kFailed;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("stage: ", static_cast<int>(stage), " is no known stage"));
  }
}

absl::Status CheckHello(const v1::Hello& hello) {
  Problems problems;
  if (!IsHexId(hello.node_id())) problems.Add("node_id", "must be 32 hexadecimal characters");
  if (!IsHexId(hello.incarnation())) {
    problems.Add("incarnation", "must be 32 hexadecimal characters");
  }
  if (hello.name().empty() || hello.name().size() > 128) {
    problems.Add("name", "must have 1 to 128 bytes");
  }
  if (hello.cpus_milli() < 0 || hello.memory_bytes() < 0 || hello.disk_free_bytes() < 0 ||
      hello.price_usd_micro_per_hour() < 0 || hello.on_demand_usd_micro_per_hour() < 0) {
    problems.Add("hello", "a capacity or a price is negative");
  }
  if (hello.gpus_size() > kListMax || hello.data_addresses_size() > kListMax ||
      hello.labels_size() > kListMax || hello.tasks_size() > kReportsMax ||
      hello.cached_size() > kListMax) {
    problems.Add("hello", "a list is longer than the scheduler takes");
  }
  if (hello.probe_port() < 0 || hello.probe_port() > 65'535) {
    problems.Add("probe_port", "must be a port, or 0");
  }
  for (const std::string& address : hello.data_addresses()) {
    if (address.size() > 256) problems.Add("data_addresses", "one is longer than 256 bytes");
  }
  for (const std::string* text :
       {&hello.version(), &hello.host_id(), &hello.device_kind(), &hello.provider(),
        &hello.region(), &hello.zone(), &hello.instance_type()}) {
    if (text->size() > kTextMax) problems.Add("hello", "a text is longer than 4096 bytes");
  }
  return problems.ToStatus();
}

state::NodeOffer OfferFromWire(const v1::Hello& hello) {
  state::NodeOffer offer;
  offer.id = hello.node_id();
  offer.incarnation = hello.incarnation();
  offer.name = hello.name();
  offer.version = hello.version();
  offer.cpus_milli = hello.cpus_milli();
  offer.memory_bytes = hello.memory_bytes();
  for (const v1::Gpu& gpu : hello.gpus()) {
    offer.gpus.push_back(
        {.index = gpu.index(), .type = gpu.type(), .memory_bytes = gpu.memory_bytes()});
  }
  offer.disk_free_bytes = hello.disk_free_bytes();
  offer.data_addresses.assign(hello.data_addresses().begin(), hello.data_addresses().end());
  offer.host_id = hello.host_id();
  offer.device_kind = hello.device_kind();
  offer.spot = hello.spot();
  offer.provider = hello.provider();
  offer.region = hello.region();
  offer.zone = hello.zone();
  offer.instance_type = hello.instance_type();
  offer.price_usd_micro_per_hour = hello.price_usd_micro_per_hour();
  offer.on_demand_usd_micro_per_hour = hello.on_demand_usd_micro_per_hour();
  offer.prices_are_examples = hello.prices_are_examples();
  for (const v1::Label& label : hello.labels())
    offer.labels.push_back({label.key(), label.value()});
  offer.probe_port = hello.probe_port();
  offer.cached = DataKeys(hello.cached());
  return offer;
}

}  // namespace

state::JobSpec JobSpecFromWire(const v1::JobSpec& wire, bool queue_anyway) {
  return SpecFromWire(wire, queue_anyway);
}

uint64_t RequestDigest(absl::string_view request) {
  const std::string bytes = absl::HexStringToBytes(Sha256Hex(request));
  uint64_t digest = 0;
  for (int i = 0; i < 8; ++i) digest = digest << 8 | static_cast<unsigned char>(bytes[i]);
  return digest;
}

state::Submitter SubmitterFromWire(const v1::Submitter& submitter) {
  return {.owner = submitter.owner(), .folder = submitter.folder()};
}

absl::StatusOr<state::JobsSubmitted> SubmitFromWire(const v1::SubmitJobsRequest& request,
                                                    absl::string_view secrets_mac) {
  BATON_RETURN_IF_ERROR(CheckSubmit(request));
  state::JobsSubmitted submitted;
  submitted.request_id = request.request_id();
  submitted.request_digest = DigestOf(request, secrets_mac);
  submitted.submitter =
      std::make_shared<const state::Submitter>(SubmitterFromWire(request.submitter()));
  std::shared_ptr<const state::JobSpec> former;
  for (int i = 0; i < request.jobs_size(); ++i) {
    state::JobSpec spec = SpecFromWire(request.jobs(i), request.queue_anyway());
    if (former == nullptr || !(*former == spec)) {
      former = std::make_shared<const state::JobSpec>(std::move(spec));
    }
    submitted.jobs.push_back({.id = JobId(request.request_id(), static_cast<uint32_t>(i)),
                              .name = request.jobs(i).name(),
                              .spec = former});
  }
  return submitted;
}

absl::StatusOr<v1::JobSpec> SpecToWire(const state::JobSpec& spec, const std::string& name) {
  v1::JobSpec wire;
  if (!wire.ParseFromString(spec.wire)) {
    return absl::DataLossError(absl::StrCat("the stored spec of job ", name, " is damaged"));
  }
  wire.set_name(name);
  return wire;
}

state::TaskKey TaskFromWire(const v1::TaskId& task) {
  return {
      .job = task.job_id(), .attempt = task.attempt(), .rank = task.rank(), .token = task.token()};
}

state::Notice NoticeFromWire(const v1::NoticeReport& notice) {
  return {.source = notice.source().substr(0, kTextMax),
          .kind = notice.kind().substr(0, kTextMax),
          .deadline_ms = notice.deadline_unix_ms(),
          .certain = notice.certain(),
          .noticed_ms = notice.noticed_unix_ms()};
}

absl::StatusOr<state::TaskReported> ReportFromWire(const v1::TaskReport& report,
                                                   const state::NodeId& node,
                                                   const std::string& incarnation) {
  state::TaskReported event;
  BATON_ASSIGN_OR_RETURN(event.stage, StageFromWire(report.stage()));
  BATON_RETURN_IF_ERROR(CheckText(report.address(), "address"));
  BATON_RETURN_IF_ERROR(CheckText(report.bad_checkpoint(), "bad_checkpoint"));
  if (!report.output_digest().empty() && !artifact::IsDigest(report.output_digest())) {
    return absl::InvalidArgumentError("output_digest: is no SHA-256 in hexadecimal");
  }
  event.task = TaskFromWire(report.task());
  event.node = node;
  event.incarnation = incarnation;
  event.at_ms = report.unix_ms();
  event.exit_code = report.exit_code();
  event.error = report.error().substr(0, kTextMax);
  event.first_step = report.first_step();
  event.first_step_ms = report.first_step_unix_ms();
  event.last_step = report.last_step();
  event.last_step_ms = report.last_step_unix_ms();
  event.setup_ms = report.setup_ms();
  event.restore_ms = report.restore_ms();
  event.save_ms = report.save_ms();
  event.address = report.address();
  event.port = report.port();
  event.output_digest = report.output_digest();
  event.infrastructure = report.infrastructure();
  event.bad_checkpoint = report.bad_checkpoint();
  BATON_RETURN_IF_ERROR(CheckText(report.exit_cause(), "exit_cause"));
  event.exit_cause = report.exit_cause();
  if (report.environment_json().size() <= kEnvironmentMax) {
    event.environment = report.environment_json();
  }
  event.generation = report.generation();
  event.generation_step = report.generation_step();
  event.generation_step_ms = report.generation_step_unix_ms();
  return event;
}

absl::StatusOr<state::NodeJoined> JoinFromWire(const v1::Hello& hello) {
  BATON_RETURN_IF_ERROR(CheckHello(hello));
  state::NodeJoined joined;
  joined.offer = OfferFromWire(hello);
  for (const v1::TaskReport& report : hello.tasks()) {
    BATON_ASSIGN_OR_RETURN(state::TaskReported task,
                           ReportFromWire(report, hello.node_id(), hello.incarnation()));
    joined.tasks.push_back(std::move(task));
  }
  if (hello.has_notice() && !hello.notice().withdrawn()) {
    joined.notice = NoticeFromWire(hello.notice());
  }
  return joined;
}

absl::StatusOr<state::CheckpointUploaded> CheckpointFromWire(const v1::CheckpointReport& report,
                                                             const state::NodeId& node) {
  if (report.name().empty() || report.name().size() > 255 ||
      report.name().find('/') != std::string::npos) {
    return absl::InvalidArgumentError("name: must have 1 to 255 bytes and no '/'");
  }
  if (!artifact::IsDigest(report.manifest_digest())) {
    return absl::InvalidArgumentError("manifest_digest: is no SHA-256 in hexadecimal");
  }
  if (report.step() < 0 || report.bytes() < 0) {
    return absl::InvalidArgumentError("step, bytes: must not be negative");
  }
  return state::CheckpointUploaded{.task = TaskFromWire(report.task()),
                                   .node = node,
                                   .name = report.name(),
                                   .step = report.step(),
                                   .bytes = report.bytes(),
                                   .manifest_digest = report.manifest_digest(),
                                   .taken_ms = report.taken_unix_ms()};
}

}  // namespace baton::edge
