// Invariants on the step between two states, and the checker that asks for all.
#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "scheduler/core/invariants.h"
#include "scheduler/policy/progress.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::EndCause;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

bool Holds(const Task& task) {
  return task.phase != TaskPhase::kExited && task.phase != TaskPhase::kLost;
}

std::string About(const Job& job, absl::string_view what) {
  return absl::StrCat("job ", job.id, " (", state::Name(job.state), "): ", what);
}

const state::TaskKey* SenderOf(const state::Event& event) {
  if (const auto* report = std::get_if<state::TaskReported>(&event)) return &report->task;
  if (const auto* upload = std::get_if<state::CheckpointUploaded>(&event)) return &upload->task;
  if (const auto* loss = std::get_if<state::LossReported>(&event)) return &loss->task;
  if (const auto* ready = std::get_if<state::MemberReady>(&event)) return &ready->task;
  return nullptr;
}

std::string CheckWanted(const Core& core, const state::SendWanted& wanted) {
  for (const state::WantedTask& task : wanted.tasks) {
    const auto job = core.state().jobs.find(task.task.job);
    const Attempt* attempt = job == core.state().jobs.end() ? nullptr : job->second.LiveAttempt();
    if (attempt == nullptr) return absl::StrCat("job ", task.task.job, " is wanted and not live");
    if (attempt->token != task.task.token || attempt->number != task.task.attempt) {
      return absl::StrCat("job ", task.task.job, " is wanted under another token than its own");
    }
    const Task& rank = attempt->tasks.at(static_cast<size_t>(task.task.rank));
    if (rank.node != wanted.node || !Holds(rank)) {
      return absl::StrCat("job ", task.task.job, ": rank ", rank.rank, " is wanted on node ",
                          wanted.node, ", which has it not");
    }
    std::vector<int32_t> peers;
    for (const state::Peer& peer : task.peers) peers.push_back(peer.task);
    if (task.generation != attempt->generation || (!peers.empty() && peers != attempt->members)) {
      return absl::StrCat("job ", task.task.job, ": rank ", rank.rank,
                          " is told of other members than its gang has");
    }
  }
  return "";
}

}  // namespace

JobMemory Remember(const Job& job) {
  JobMemory memory;
  memory.state = job.state;
  memory.retries_left = job.retries_left;
  if (job.history == nullptr) return memory;
  const state::JobHistory& history = *job.history;
  memory.live = job.LiveAttempt() != nullptr;
  if (!history.attempts.empty()) {
    memory.attempt = history.attempts.back().number;
    memory.token = history.attempts.back().token;
    memory.generation = history.attempts.back().generation;
    memory.members = history.attempts.back().members;
    memory.tasks = history.attempts.back().tasks.size();
  }
  memory.preemptions = history.preemptions;
  memory.steps_lost = history.steps_lost;
  memory.cost_usd_micro = history.cost_usd_micro;
  memory.recoveries = history.recoveries_ms.size();
  for (const Attempt& attempt : history.attempts) {
    memory.blamed += attempt.elastic.retries_used;
    const bool decided = attempt.end_ms != 0 && attempt.verdict_deadline_ms == 0;
    memory.blamed +=
        decided && (attempt.cause == EndCause::kCrashed || attempt.cause == EndCause::kPeerLost ||
                    attempt.cause == EndCause::kStartFailed);
  }
  if (!history.checkpoints.empty()) memory.newest_checkpoint = history.checkpoints.back().name;
  return memory;
}

std::string RefusalChangesNothing(const Outputs& outputs) {
  if (outputs.reply.ok()) return "";
  const bool changed = !outputs.deleted_jobs.empty() || !outputs.deleted_sweeps.empty() ||
                       !outputs.forgotten.empty() || !outputs.dirty_jobs.empty() ||
                       !outputs.dirty_nodes.empty() || !outputs.dirty_sweeps.empty() ||
                       !outputs.dirty_trials.empty() || outputs.counters_dirty ||
                       outputs.reach_changed || !outputs.notes.empty();
  return changed
             ? absl::StrCat("a refusal changed something: ", std::string(outputs.reply.message()))
             : "";
}

std::string OlderTokensAreRefused(const state::Event& event, const JobMemory* before,
                                  const Outputs& outputs) {
  const state::TaskKey* sender = SenderOf(event);
  if (sender == nullptr || !outputs.reply.ok()) return "";
  const bool current = before != nullptr && before->live && before->token == sender->token &&
                       before->attempt == sender->attempt;
  if (current) return "";
  return absl::StrCat("job ", sender->job, ": words under token ", sender->token,
                      " were taken, which is not live");
}

std::string EffectsCarryTheToken(const Core& core, const Outputs& outputs) {
  for (const state::Effect& effect : outputs.effects) {
    const auto* wanted = std::get_if<state::SendWanted>(&effect);
    if (wanted == nullptr) continue;
    if (std::string wrong = CheckWanted(core, *wanted); !wrong.empty()) return wrong;
    if (wanted->tasks.size() != core.Wanted(wanted->node).size()) {
      return absl::StrCat("node ", wanted->node, " is not told its whole wanted set");
    }
  }
  return "";
}

std::string GangsBeginWhereShown(const state::State& state, const JobMemory* before,
                                 const Job& after) {
  const Attempt* attempt = after.LiveAttempt();
  if (attempt == nullptr || (before != nullptr && before->token == attempt->token)) return "";
  std::set<state::NodeId> nodes;
  for (const Task& task : attempt->tasks) nodes.insert(task.node);
  for (const state::NodeId& a : nodes) {
    for (const state::NodeId& b : nodes) {
      const std::string& host = state.nodes.at(a).offer.host_id;
      if (a == b || (!host.empty() && host == state.nodes.at(b).offer.host_id)) continue;
      if (state.reach.Ask(a, b) == state::Reach::Seen::kReached) continue;
      return About(after, absl::StrCat("it begins on ", a, " and ", b, ", which is not shown"));
    }
  }
  return "";
}

std::string LedgersOnlyGrow(const JobMemory& before, const Job& after) {
  const JobMemory now = Remember(after);
  if (now.cost_usd_micro < before.cost_usd_micro) return About(after, "its cost fell");
  if (now.preemptions < before.preemptions) return About(after, "its preemptions fell");
  if (now.steps_lost < before.steps_lost) return About(after, "its lost steps fell");
  if (now.recoveries < before.recoveries) return About(after, "a recovery was forgotten");
  if (now.token < before.token || now.attempt < before.attempt) {
    return About(after, "its newest attempt is an older one");
  }
  if (now.attempt > before.attempt && now.token <= before.token) {
    return About(after, "a new attempt has an old token");
  }
  return "";
}

std::string OnlyFailuresCostRetries(const JobMemory& before, const Job& after) {
  const JobMemory now = Remember(after);
  const int32_t spent = before.retries_left - now.retries_left;
  if (spent <= 0 || spent <= now.blamed - before.blamed) return "";
  return About(after, absl::StrCat(spent, " retries were counted for ", now.blamed - before.blamed,
                                   " failures of the program"));
}

std::string EndedStaysEnded(const state::Event& event, const JobMemory& before, const Job& after) {
  if (!state::IsEnded(before.state) || before.state == after.state) return "";
  const auto* retry = std::get_if<state::JobRetried>(&event);
  const bool retried = retry != nullptr && retry->job == after.id;
  if (retried && before.state != JobState::kSucceeded) return "";
  return About(after, absl::StrCat("it had ended as ", state::Name(before.state)));
}

std::string OnlyEndedIsDeleted(const Core& core, const state::Event& event, const JobMemory& before,
                               const Job& deleted) {
  const auto* wish = std::get_if<state::JobDeleted>(&event);
  const auto* sweep = std::get_if<state::SweepDeleted>(&event);
  const bool asked = (wish != nullptr && wish->job == deleted.id) ||
                     (sweep != nullptr && sweep->sweep == deleted.spec->sweep);
  if (!asked) return About(deleted, "it is lost");
  if (!state::IsEnded(before.state)) return About(deleted, "it was deleted and had not ended");
  const bool known = core.state().deleted.count(deleted.id) != 0;
  return known ? "" : About(deleted, "its request is forgotten");
}

std::string CheckpointsStay(const state::Event& event, const JobMemory& before, const Job& after) {
  if (before.newest_checkpoint.empty()) return "";
  const auto& checkpoints = after.history->checkpoints;
  const auto kept = [&](const state::Checkpoint& c) { return c.name == before.newest_checkpoint; };
  if (std::any_of(checkpoints.begin(), checkpoints.end(), kept)) return "";
  const auto* retry = std::get_if<state::JobRetried>(&event);
  if (retry != nullptr && !retry->from.empty()) return "";
  const auto* report = std::get_if<state::TaskReported>(&event);
  const bool damaged = report != nullptr && report->bad_checkpoint == before.newest_checkpoint;
  const bool joined = std::holds_alternative<state::NodeJoined>(event);  // may carry that report
  const bool crash_loop =
      policy::CrashesOn(*after.history, before.newest_checkpoint) >= policy::kCrashesForGivingUp;
  if (damaged || joined || crash_loop) return "";
  const bool replaced = !checkpoints.empty() && checkpoints.back().committed_ms != 0 &&
                        std::holds_alternative<state::CheckpointUploaded>(event);
  return replaced ? "" : About(after, "its newest checkpoint is gone");
}

InvariantChecker::InvariantChecker(const Core& core) {
  for (const auto& [id, job] : core.state().jobs) Track(job);
  for (const auto& [id, sweep] : core.state().sweeps) sweeps_[id] = Remember(sweep);
  touched_.clear();
}

void InvariantChecker::Track(const Job& job) {
  jobs_[job.id] = Remember(job);
  const auto placed = placed_.find(job.id);
  if (placed != placed_.end()) {
    for (const auto& [node, rank] : placed->second) tasks_on_[node].erase({job.id, rank});
    placed_.erase(placed);
  }
  const Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return;
  for (const Task& task : attempt->tasks) {
    if (!Holds(task)) continue;
    tasks_on_[task.node].insert({job.id, task.rank});
    placed_[job.id].push_back({task.node, task.rank});
    touched_.insert(task.node);
  }
}

std::string InvariantChecker::AfterStep(const Core& core, const state::Event& event,
                                        const Outputs& outputs, int64_t now_ms) {
  const state::TaskKey* sender = SenderOf(event);
  const JobMemory* before = nullptr;
  if (sender != nullptr && jobs_.count(sender->job) != 0) before = &jobs_.at(sender->job);
  std::string wrong = RefusalChangesNothing(outputs);
  if (wrong.empty()) wrong = OlderTokensAreRefused(event, before, outputs);
  if (wrong.empty()) wrong = EffectsCarryTheToken(core, outputs);
  for (const state::JobId& id : outputs.dirty_jobs) {
    if (wrong.empty()) wrong = CheckJob(core, event, id, now_ms);
  }
  for (const auto& job : outputs.deleted_jobs) {
    if (wrong.empty()) wrong = OnlyEndedIsDeleted(core, event, jobs_.at(job->id), *job);
    jobs_.erase(job->id);
    placed_.erase(job->id);
  }
  if (!wrong.empty()) return wrong;
  if (core.state().jobs.size() != jobs_.size()) return "a job is lost, or came unannounced";
  for (const state::SweepId& id : outputs.dirty_sweeps) {
    if (wrong.empty()) wrong = CheckSweep(core, id);
  }
  for (const auto& sweep : outputs.deleted_sweeps) {
    if (wrong.empty()) wrong = OnlyEndedIsDeleted(core, event, *sweep);
    sweeps_.erase(sweep->id);
  }
  if (!wrong.empty()) return wrong;
  if (core.state().sweeps.size() != sweeps_.size()) return "a sweep is lost, or came unannounced";
  for (const state::NodeId& id : touched_) {
    if (wrong.empty()) wrong = CheckNode(core, id);
  }
  touched_.clear();
  return wrong;
}

std::string InvariantChecker::CheckJob(const Core& core, const state::Event& event,
                                       const state::JobId& id, int64_t now_ms) {
  const auto at = core.state().jobs.find(id);
  if (at == core.state().jobs.end()) return absl::StrCat("job ", id, " is lost");
  const Job& job = at->second;
  std::string wrong = OneLiveAttempt(job);
  if (wrong.empty()) wrong = GenerationsSettle(job);
  if (wrong.empty()) wrong = LiveTasksOnUpNodes(core.state(), job);
  if (wrong.empty()) wrong = PhasesAddUp(core, job, now_ms);
  if (wrong.empty()) wrong = CheckpointsInOrder(job);
  if (wrong.empty()) wrong = RetriesCoverVerdicts(job);
  if (wrong.empty()) wrong = EndIsTold(job);
  if (wrong.empty()) wrong = HoldIsTold(job);
  const auto memory = jobs_.find(id);
  if (wrong.empty()) {
    wrong =
        GangsBeginWhereShown(core.state(), memory == jobs_.end() ? nullptr : &memory->second, job);
  }
  if (memory != jobs_.end()) {
    const JobMemory& before = memory->second;
    if (wrong.empty()) wrong = LedgersOnlyGrow(before, job);
    if (wrong.empty()) wrong = OnlyFailuresCostRetries(before, job);
    if (wrong.empty()) wrong = EndedStaysEnded(event, before, job);
    if (wrong.empty()) wrong = CheckpointsStay(event, before, job);
    if (wrong.empty()) wrong = GenerationsRise(before, job);
    if (wrong.empty()) wrong = JoinersReachAll(core.state(), before, job);
  }
  Track(job);
  return wrong;
}

std::string InvariantChecker::CheckNode(const Core& core, const state::NodeId& id) const {
  const auto node = core.state().nodes.find(id);
  if (node == core.state().nodes.end()) return absl::StrCat("a task on node ", id, ", never seen");
  const state::NodeOffer& offer = node->second.offer;
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  std::set<int32_t> gpus;
  for (const auto& [job_id, rank] : tasks_on_.at(id)) {
    const Job& job = core.state().jobs.at(job_id);
    const Attempt& attempt = *job.LiveAttempt();
    cpus_milli += state::NeedOf(*job.spec, attempt).cpus_milli;
    memory_bytes += state::NeedOf(*job.spec, attempt).memory_bytes;
    for (const int32_t gpu : attempt.tasks[static_cast<size_t>(rank)].gpus) {
      if (!gpus.insert(gpu).second) return absl::StrCat("node ", id, ": two tasks hold GPU ", gpu);
    }
  }
  if (cpus_milli > offer.cpus_milli || memory_bytes > offer.memory_bytes) {
    return absl::StrCat("node ", id, " is given away twice");
  }
  return "";
}

std::string InvariantChecker::Everything(const Core& core, int64_t now_ms) const {
  std::string wrong = NoDeviceTwice(core.state());
  if (wrong.empty()) wrong = MoneyAgrees(core.state());
  if (wrong.empty()) wrong = TokensAreUnique(core.state());
  for (const auto& [id, sweep] : core.state().sweeps) {
    if (wrong.empty()) wrong = SweepAddsUp(core.state(), sweep);
  }
  for (const auto& [id, job] : core.state().jobs) {
    if (!wrong.empty()) return wrong;
    wrong = OneLiveAttempt(job);
    if (wrong.empty()) wrong = GenerationsSettle(job);
    if (wrong.empty()) wrong = LiveTasksOnUpNodes(core.state(), job);
    if (wrong.empty()) wrong = PhasesAddUp(core, job, now_ms);
    if (wrong.empty()) wrong = CheckpointsInOrder(job);
    if (wrong.empty()) wrong = RetriesCoverVerdicts(job);
    if (wrong.empty()) wrong = EndIsTold(job);
    if (wrong.empty()) wrong = HoldIsTold(job);
    if (wrong.empty()) wrong = WaitsForAReason(core, job, now_ms);
  }
  return wrong;
}

}  // namespace baton::core
