#include <variant>

#include "scheduler/store/codec.h"
#include "scheduler/store/codec_reach.h"
#include "scheduler/store/codec_records.h"
#include "scheduler/store/codec_sweep.h"

namespace baton::store::v1 {
static void ToRecord(const state::Peer& value, Peer* record) {
  const auto& [rank, node, address, port] = value;
  record->set_rank(rank);
  record->set_node(node);
  record->set_address(address);
  record->set_port(port);
}

static void ToRecord(const state::WantedTask& value, SharedValues& shared, WantedTask* record) {
  const auto& [task, goal, spec, world_size, local_rank, local_world_size, node_rank, nodes, gpus,
               generation, peers, resume_name, resume_step, resume_digest, stop_deadline_ms,
               stop_reason, stop_for_good, alternative, mtbf_ms] = value;
  ToRecord(task, record->mutable_task());
  record->set_goal(EnumNumber(goal));
  record->set_spec(shared.KeyOf(spec));
  record->set_world_size(world_size);
  record->set_local_rank(local_rank);
  record->set_local_world_size(local_world_size);
  record->set_node_rank(node_rank);
  record->set_nodes(nodes);
  record->mutable_gpus()->Assign(gpus.begin(), gpus.end());
  record->set_generation(generation);
  ToRepeated(peers, record->mutable_peers());
  record->set_resume_name(resume_name);
  record->set_resume_step(resume_step);
  record->set_resume_digest(resume_digest);
  record->set_stop_deadline_ms(stop_deadline_ms);
  record->set_stop_reason(stop_reason);
  record->set_stop_for_good(stop_for_good);
  record->set_alternative(alternative);
  record->set_mtbf_ms(mtbf_ms);
}

namespace {

// One overload per effect.
class EffectWriter {
 public:
  EffectWriter(SharedValues& shared, Effect* effect) : shared_(shared), effect_(effect) {}

  void operator()(const state::SendWanted& e) {
    const auto& [node, incarnation, tasks] = e;
    auto* record = effect_->mutable_send_wanted();
    record->set_node(node);
    record->set_incarnation(incarnation);
    for (const state::WantedTask& task : tasks) ToRecord(task, shared_, record->add_tasks());
  }
  void operator()(const state::AckCheckpoint& e) {
    const auto& [node, task, name, committed, refusal] = e;
    auto* record = effect_->mutable_ack_checkpoint();
    record->set_node(node);
    ToRecord(task, record->mutable_task());
    record->set_name(name);
    record->set_committed(committed);
    record->set_refusal(refusal);
  }
  void operator()(const state::AckReport& e) {
    const auto& [node, task, stage] = e;
    auto* record = effect_->mutable_ack_report();
    record->set_node(node);
    ToRecord(task, record->mutable_task());
    record->set_stage(EnumNumber(stage));
  }
  void operator()(const state::SuggestTrial& e) { ToRecord(e, effect_->mutable_suggest_trial()); }
  void operator()(const state::ReadTrial& e) { ToRecord(e, effect_->mutable_read_trial()); }
  void operator()(const state::ProbeNodes& e) { ToRecord(e, effect_->mutable_probe_nodes()); }

 private:
  SharedValues& shared_;
  Effect* effect_;
};

}  // namespace

static void ToRecord(const state::Effect& value, SharedValues& shared, Effect* record) {
  std::visit(EffectWriter(shared, record), value);
}

static void ToRecord(const state::Note& value, Note* record) {
  const auto& [job, at_ms, attempt, code, text] = value;
  record->set_job(job);
  record->set_at_ms(at_ms);
  record->set_attempt(attempt);
  record->set_code(code);
  record->set_text(text);
}

static absl::Status FromRecord(const Note& record, state::Note* value) {
  value->job = record.job();
  value->at_ms = record.at_ms();
  value->attempt = record.attempt();
  value->code = record.code();
  value->text = record.text();
  return absl::OkStatus();
}

}  // namespace baton::store::v1

namespace baton::store {

std::string EncodeNotes(const std::vector<state::Note>& notes) {
  v1::Notes record;
  ToRepeated(notes, record.mutable_notes());
  return record.SerializeAsString();
}

absl::StatusOr<std::vector<state::Note>> DecodeNotes(absl::string_view bytes) {
  v1::Notes record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "list of notes", &record));
  std::vector<state::Note> notes;
  BATON_RETURN_IF_ERROR(FromRepeated(record.notes(), &notes));
  return notes;
}

std::string EncodeDecisions(const state::Outputs& outputs, SharedValues& shared) {
  v1::Decisions record;
  record.set_reply_code(static_cast<int32_t>(outputs.reply.code()));
  record.set_reply_text(std::string(outputs.reply.message()));
  for (const state::JobId& id : outputs.job_ids) record.add_job_ids(id);
  for (const state::Effect& effect : outputs.effects) {
    ToRecord(effect, shared, record.add_effects());
  }
  return record.SerializeAsString();
}

}  // namespace baton::store
