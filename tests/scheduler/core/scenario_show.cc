#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/state/job_state.h"
#include "tests/scheduler/core/scenario.h"

namespace baton::core {

using state::Attempt;
using state::Job;

std::string Scenario::Told(const Outputs& outputs) const {
  std::string told;
  if (!outputs.reply.ok()) {
    absl::StrAppend(&told, "refused (", absl::StatusCodeToString(outputs.reply.code()),
                    "): ", std::string(outputs.reply.message()), "\n");
  }
  for (const state::Note& note : outputs.notes) {
    absl::StrAppend(&told, NameOf(note.job), " ", note.code, ": ", note.text, "\n");
  }
  for (const state::Effect& effect : outputs.effects) absl::StrAppend(&told, ToldEffect(effect));
  for (const auto& job : outputs.deleted_jobs) {
    absl::StrAppend(&told, job->name, " is no more\n");
  }
  for (const auto& sweep : outputs.deleted_sweeps) {
    absl::StrAppend(&told, sweep->name, " is no more\n");
  }
  for (const state::JobId& id : outputs.forgotten) {
    absl::StrAppend(&told, NameOf(id), " is forgotten\n");
  }
  for (const state::JobId& id : outputs.dirty_jobs) {
    absl::StrAppend(&told, NameOf(id), " is ", Name(core_->state().jobs.at(id).state), "\n");
  }
  return told;
}

std::string Scenario::ToldEffect(const state::Effect& effect) const {
  if (const auto* wanted = std::get_if<state::SendWanted>(&effect)) {
    std::string told = absl::StrCat("-> ", wanted->node, ":");
    for (const state::WantedTask& task : wanted->tasks) {
      absl::StrAppend(&told, " ", Name(task.goal), " ", NameOf(task.task.job), "/", task.task.rank,
                      " of ", task.world_size, " (token ", task.task.token, ")");
      if (!task.resume_name.empty()) absl::StrAppend(&told, " from ", task.resume_name);
      if (!task.gpus.empty()) absl::StrAppend(&told, " gpus ", absl::StrJoin(task.gpus, "+"));
      if (task.world_size > 1 && task.goal == state::Goal::kRun) {
        absl::StrAppend(&told, " meets ", task.peers.at(0).address, ":", task.peers.at(0).port);
      }
      if (task.goal == state::Goal::kStop) {
        absl::StrAppend(&told, " within ", task.stop_deadline_ms - now_ms_, " ms, ",
                        task.stop_reason, task.stop_for_good ? " (for good)" : "");
      }
      told += ";";
    }
    return absl::StrCat(told, wanted->tasks.empty() ? " nothing" : "", "\n");
  }
  if (const auto* ack = std::get_if<state::AckCheckpoint>(&effect)) {
    return absl::StrCat("-> ", ack->node, ": checkpoint ", ack->name,
                        ack->committed ? " committed" : absl::StrCat(" refused: ", ack->refusal),
                        "\n");
  }
  if (const auto* probe = std::get_if<state::ProbeNodes>(&effect)) {
    std::string told = absl::StrCat("-> ", probe->node, ": probe");
    for (const state::ProbeTarget& target : probe->targets) {
      absl::StrAppend(&told, " ", target.node, " at ", target.address, ":", target.port);
    }
    return told + "\n";
  }
  if (const auto* suggest = std::get_if<state::SuggestTrial>(&effect)) {
    return absl::StrCat("-> suggest trial ", suggest->index, " of ", NameOf(suggest->sweep), "\n");
  }
  if (const auto* read = std::get_if<state::ReadTrial>(&effect)) {
    return absl::StrCat("-> read trial ", read->index, " of ", NameOf(read->sweep), "\n");
  }
  return "";
}

std::string Scenario::ShowJob(const std::string& name) const {
  const auto it = core_->state().jobs.find(IdOf(name));
  if (it == core_->state().jobs.end()) return "no such job\n";
  const Job& job = it->second;
  std::string told =
      absl::StrCat(name, " ", Name(job.state), ", ", job.retries_left, " retries left",
                   job.reason.empty() ? "" : ": ", job.reason, "\n");
  if (job.history == nullptr) return told;
  for (const Attempt& attempt : job.history->attempts) {
    absl::StrAppend(&told, "  attempt ", attempt.number, " on ");
    for (const state::Task& task : attempt.tasks) {
      absl::StrAppend(&told, task.node, "(", Name(task.phase));
      if (task.phase == state::TaskPhase::kExited) absl::StrAppend(&told, " ", task.exit_code);
      absl::StrAppend(&told, ") ");
    }
    const absl::string_view cause = attempt.end_ms == 0                ? "lives"
                                    : attempt.verdict_deadline_ms != 0 ? "verdict open"
                                                                       : Name(attempt.cause);
    absl::StrAppend(&told, cause, "\n");
  }
  if (!job.history->environment.empty()) {
    absl::StrAppend(&told, "  runs in ", job.history->environment, "\n");
  }
  for (const state::Checkpoint& c : job.history->checkpoints) {
    absl::StrAppend(&told, "  checkpoint ", c.name, " step ", c.step, "\n");
  }
  return told;
}

std::string Scenario::Ledger(const std::string& name) const {
  const Job& job = core_->state().jobs.at(IdOf(name));
  const state::Phases p = core_->PhasesAt(job, now_ms_);
  const Core::Cost cost = core_->CostAt(job, now_ms_);
  std::string told = absl::StrCat("queue ", p.queue_ms, " setup ", p.setup_ms, " restore ",
                                  p.restore_ms, " train ", p.train_ms, " save ", p.save_ms);
  absl::StrAppend(&told, " lost ", p.lost_ms, " idle ", p.idle_ms, " ms; ", cost.usd_micro, " (",
                  cost.on_demand_usd_micro, ") micro-USD\n");
  if (job.history == nullptr) return told;
  absl::StrAppend(&told, "preemptions ", job.history->preemptions, ", steps lost ",
                  job.history->steps_lost, ", recoveries ",
                  absl::StrJoin(job.history->recoveries_ms, " "), "\n");
  return told;
}

std::string Scenario::Risk(const std::string& name) const {
  const Job& job = core_->state().jobs.at(IdOf(name));
  const Core::AtRisk risk = core_->AtRiskAt(job, now_ms_);
  const std::string age =
      risk.age_ms < 0 ? "no checkpoint" : absl::StrCat("checkpoint ", risk.age_ms, " ms old");
  std::string told = absl::StrCat(age, "; ", risk.usd_micro, " micro-USD at risk\n");
  if (job.LiveAttempt() == nullptr) return told;
  for (const state::Task& task : job.LiveAttempt()->tasks) {
    for (const state::WantedTask& wanted : core_->Wanted(task.node)) {
      if (wanted.task.rank != task.rank || wanted.task.job != job.id || wanted.mtbf_ms == 0)
        continue;
      absl::StrAppend(&told, "rank ", task.rank, " is told of a loss in ", wanted.mtbf_ms, " ms\n");
    }
  }
  return told;
}

}  // namespace baton::core
