#include "client/wire_spec.h"

#include <string>
#include <vector>

#include "common/spec/entry.h"

namespace baton::client {
namespace {

v1::NoticeSignal WireSignal(spec::NoticeSignal signal) {
  switch (signal) {
    case spec::NoticeSignal::kTerm:
      return v1::NOTICE_SIGNAL_TERM;
    case spec::NoticeSignal::kUsr1:
      return v1::NOTICE_SIGNAL_USR1;
    case spec::NoticeSignal::kNone:
      return v1::NOTICE_SIGNAL_NONE;
  }
  return v1::NOTICE_SIGNAL_TERM;
}

v1::Capacity WireCapacity(spec::Capacity capacity) {
  switch (capacity) {
    case spec::Capacity::kSpot:
      return v1::CAPACITY_SPOT;
    case spec::Capacity::kOnDemand:
      return v1::CAPACITY_ON_DEMAND;
    case spec::Capacity::kAuto:
      return v1::CAPACITY_AUTO;
  }
  return v1::CAPACITY_AUTO;
}

void Fill(const spec::Resources& resources, v1::Resources* wire) {
  wire->set_cpus_milli(static_cast<int32_t>(resources.cpu_millis));
  wire->set_memory_bytes(resources.memory_bytes);
  wire->set_disk_bytes(resources.disk_bytes);
  wire->set_gpus(static_cast<int32_t>(resources.gpus));
  wire->set_gpu_type(resources.gpu_type);
  wire->set_gpu_memory_bytes(resources.gpu_memory_bytes);
}

void Fill(const spec::JobSpec& spec, v1::CheckpointPolicy* wire) {
  const spec::CheckpointPolicy& checkpoint = spec.checkpoint;
  wire->set_from(checkpoint.from == spec::CheckpointPolicy::From::kRank0
                     ? v1::CheckpointPolicy::RANK0
                     : v1::CheckpointPolicy::ANY);
  wire->set_keep(static_cast<int32_t>(checkpoint.keep));
  wire->set_every_ms(checkpoint.every_ms);
  wire->set_every_steps(checkpoint.every_steps);
  wire->mutable_globs()->Assign(spec.checkpoint_globs.begin(), spec.checkpoint_globs.end());
}

// What only a user's program has.
void FillProgram(const spec::JobSpec& spec, v1::JobSpec* wire) {
  spec::Environment wanted = spec.environment;
  if (wanted.use == "none") wanted.use.clear();  // told by naming no file
  if (!wanted.setup.empty() || !wanted.use.empty() || !wanted.image.empty()) {
    v1::Environment* environment = wire->mutable_prepare();
    environment->mutable_setup()->Assign(wanted.setup.begin(), wanted.setup.end());
    environment->set_use(wanted.use);
    environment->set_image(wanted.image);
  }
  for (const spec::DataSet& data : spec.data) {
    v1::DataSet* set = wire->add_data();
    set->set_name(data.name);
    set->set_uri(data.uri);
    set->set_sha256(data.sha256);
  }
  for (const spec::MetricPattern& metric : spec.metrics) {
    v1::MetricPattern* pattern = wire->add_metrics();
    pattern->set_name(metric.name);
    pattern->set_pattern(metric.pattern);
  }
  wire->mutable_secret_names()->Assign(spec.secrets.begin(), spec.secrets.end());
}

}  // namespace

v1::JobSpec WireSpec(const spec::JobSpec& spec) {
  v1::JobSpec wire;
  wire.set_name(spec.name);
  wire.set_project(spec.project);
  wire.set_priority(static_cast<int32_t>(spec.priority));
  wire.mutable_ranks()->set_min(static_cast<int32_t>(spec.ranks.min));
  wire.mutable_ranks()->set_max(static_cast<int32_t>(spec.ranks.max));
  wire.set_ranks_per_node(static_cast<int32_t>(spec.ranks_per_node));
  Fill(spec.resources, wire.mutable_resources());
  for (const spec::Resources& other : spec.any_of) Fill(other, wire.add_any_of());
  wire.set_retries(static_cast<int32_t>(spec.retries));
  wire.set_capacity(WireCapacity(spec.capacity));
  wire.set_launch(spec.launch == spec::Launch::kNode ? v1::LAUNCH_NODE : v1::LAUNCH_RANK);
  Fill(spec, wire.mutable_checkpoint());
  if (!spec.command.empty()) wire.set_notice_signal(WireSignal(spec.notice_signal));
  wire.set_notice_grace_ms(spec.notice_grace_ms);
  wire.set_time_limit_ms(spec.time_limit_ms);
  wire.set_hang_after_ms(spec.hang_after_ms);
  wire.set_params_json(spec.params_json);
  const std::vector<std::string> words = spec::ProgramWords(spec);
  wire.mutable_command()->Assign(words.begin(), words.end());
  for (const auto& [key, value] : spec.require) {
    v1::Label* label = wire.add_require();
    label->set_key(key);
    label->set_value(value);
  }
  for (const auto& [name, value] : spec.env) {
    v1::EnvironmentVariable* variable = wire.add_environment();
    variable->set_name(name);
    variable->set_value(value);
  }
  // By this variable the worker knows that the task wants all of them (worker/DESIGN.md).
  if (spec.slurm && spec.env.count("SLURM_JOB_NAME") == 0) {
    v1::EnvironmentVariable* variable = wire.add_environment();
    variable->set_name("SLURM_JOB_NAME");
    variable->set_value(spec.name);
  }
  FillProgram(spec, &wire);
  if (spec.native.has_value()) wire.set_shards(static_cast<int32_t>(spec.native->shards));
  return wire;
}

}  // namespace baton::client
