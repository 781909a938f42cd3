#include "scheduler/sim/checkers.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "scheduler/sim/program.h"
#include "scheduler/state/job_state.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/recover.h"

namespace baton::sim {
namespace {

// How often everything is checked, not only what an event touched.
constexpr uint64_t kEventsPerFullCheck = 1024;

bool CapacityFits(state::Capacity capacity, bool spot) {
  return capacity == state::Capacity::kAuto || (capacity == state::Capacity::kSpot) == spot;
}

int64_t RanksThatCouldFit(const state::State& state, const state::Job& job,
                          const state::Resources& need) {
  const bool on_demand_only = job.history != nullptr && job.history->on_demand_only;
  const auto capacity = on_demand_only ? state::Capacity::kOnDemand : job.spec->capacity;
  int64_t ranks = 0;
  for (const auto& [id, node] : state.nodes) {
    if (!node.TakesWork() || !CapacityFits(capacity, node.offer.spot)) continue;
    int64_t here = node.offer.cpus_milli / need.cpus_milli;
    if (need.memory_bytes > 0) here = std::min(here, node.offer.memory_bytes / need.memory_bytes);
    if (need.gpus > 0) {
      here = std::min(here, static_cast<int64_t>(node.offer.gpus.size()) / need.gpus);
    }
    const int64_t each = job.spec->ranks_per_node;
    if (each > 0) here = here < each ? 0 : each;
    ranks += here;
  }
  return ranks;
}

}  // namespace

int64_t RanksThatCouldFit(const state::State& state, const state::Job& job) {
  int64_t most = 0;
  for (int32_t i = 0; i < state::Alternatives(*job.spec); ++i) {
    most = std::max(most, RanksThatCouldFit(state, job, state::NeedOf(*job.spec, i)));
  }
  return most;
}

// Once deleted it stays away, and its request is known.
bool Checkers::IsLost(const state::State& state, const state::JobId& acknowledged) const {
  return state.jobs.count(acknowledged) == 0 && !IsDeleted(state, acknowledged);
}

bool Checkers::IsDeleted(const state::State& state, const std::string& id) const {
  return delete_called_.count(id) != 0 && state.deleted.count(id) != 0;
}

void Checkers::OnRecovered(const state::State& state) {
  for (const state::JobId& id : acknowledged_) {
    if (IsLost(state, id)) {
      Fail("no acknowledged job is lost", id + " was acknowledged and is gone after a restart");
    }
  }
  CheckSweepsKept(state);
  // Its memory is of what was decided, of which a crash has taken back what was not stored.
  invariants_.reset();
}

void Checkers::OnApplied(const core::Core& core, const state::Event& event,
                         const state::Outputs& outputs, int64_t now_ms) {
  if (invariants_ == nullptr) {
    invariants_ = std::make_unique<core::InvariantChecker>(core);
  } else {
    Fail("core", invariants_->AfterStep(core, event, outputs, now_ms));
  }
  for (const state::JobId& id : outputs.dirty_jobs) CheckHealthy(core.state().jobs.at(id));
  CountProbes(outputs);
  if (++applied_ % kEventsPerFullCheck == 0) Everything(core, now_ms);
}

void Checkers::Everything(const core::Core& core, int64_t now_ms) {
  if (invariants_ != nullptr) Fail("core", invariants_->Everything(core, now_ms));
  for (const state::JobId& id : acknowledged_) {
    if (IsLost(core.state(), id)) Fail("no acknowledged job is lost", id);
  }
}

// A healthy program never costs its job a retry: every bad end of it was somebody else's fault.
void Checkers::CheckHealthy(const state::Job& job) {
  if (ProgramOf(*job.spec).fate != Fate::kHealthy || job.retries_left == job.spec->retries) return;
  Fail("only failures cost retries",
       absl::StrCat(job.id, " has ", job.retries_left, " of ", job.spec->retries,
                    " retries left, though its program never failed"));
}

void Checkers::OnReleased(const store::Store& store, uint64_t sequence,
                          const state::Outputs& outputs) {
  const auto stored = store::StoredSequence(store);
  if (!stored.ok() || *stored < sequence) {
    Fail("store before speak",
         absl::StrCat("the outputs of event ", sequence, " leave, and the store ends at event ",
                      stored.ok() ? *stored : 0));
  }
  for (const state::Effect& effect : outputs.effects) {
    if (const auto* wanted = std::get_if<state::SendWanted>(&effect)) CheckTokens(*wanted);
  }
}

void Checkers::OnAnswered(const store::Store& store, const state::Outputs& outputs) {
  if (!outputs.reply.ok()) return;
  for (const state::JobId& id : outputs.job_ids) {
    if (store.Get(store::Table::kJobs, id).ok() || delete_called_.count(id) != 0) continue;
    Fail("store before speak", id + " is acknowledged and not stored");
  }
}

// Over all that was ever told to a worker, crashes included.
void Checkers::CheckTokens(const state::SendWanted& wanted) {
  for (const state::WantedTask& task : wanted.tasks) {
    const std::pair attempt(task.task.job, task.task.attempt);
    const auto known = attempt_of_token_.emplace(task.task.token, attempt).first;
    if (known->second != attempt) {
      Fail("tokens are unique", absl::StrCat("token ", task.task.token, " is of ",
                                             known->second.first, " and of ", task.task.job));
    }
    state::Token& newest = newest_token_[task.task.job];
    if (task.task.token < newest) {
      Fail("tokens rise",
           absl::StrCat(task.task.job, " is run under token ", task.task.token, " after ", newest));
    }
    newest = task.task.token;
    CheckMembers(task);
  }
}

// A generation has the members with which it was first told.
void Checkers::CheckMembers(const state::WantedTask& task) {
  if (task.peers.empty()) return;
  std::vector<int32_t> members;
  for (const state::Peer& peer : task.peers) {
    if (peer.rank != static_cast<int32_t>(members.size())) {
      Fail("ranks are places",
           absl::StrCat(task.task.job, ": rank ", peer.rank, " is out of order"));
    }
    members.push_back(peer.task);
  }
  auto& generations = members_told_[task.task.token];
  const auto known = generations.emplace(task.generation, members).first;
  if (known->second != members) {
    Fail("a generation has the same members for all",
         absl::StrCat(task.task.job, ": generation ", task.generation, " is told in two ways"));
  }
}

void Checkers::OnQuiet(const store::Store& store, const core::Core& core) {
  auto recovered = store::Recover(store, core.state().config);
  if (!recovered.ok()) return Fail("recovery", recovered.status().ToString());
  const state::State& stored = recovered->state;
  const state::State& held = core.state();
  if (!(stored.counters == held.counters)) Fail("stored is held", "the counters differ");
  if (!(stored.deleted == held.deleted)) Fail("stored is held", "the deleted jobs differ");
  if (stored.nodes != held.nodes) Fail("stored is held", "the nodes differ");
  CheckSweepsStored(stored, held);
  CheckSweepsKept(held);
  if (stored.jobs.size() != held.jobs.size()) Fail("stored is held", "some jobs are not stored");
  for (const auto& [id, job] : stored.jobs) {
    const auto now = held.jobs.find(id);
    const bool same =
        now != held.jobs.end() && store::EncodeJob(job, recovered->shared) ==
                                      store::EncodeJob(now->second, recovered->shared);
    if (!same) Fail("stored is held", id + " was changed and not stored");
  }
}

void Checkers::Acknowledged(const std::vector<state::JobId>& jobs) {
  acknowledged_.insert(jobs.begin(), jobs.end());
}

uint64_t Checkers::RetriesCalled(const state::JobId& job) const {
  const auto called = retries_called_.find(job);
  return called == retries_called_.end() ? 0 : called->second;
}

void Checkers::RetryCalled(const state::JobId& job) {
  ++retries_called_[job];
  cancelled_.erase(job);
}

void Checkers::CancelAcknowledged(const state::JobId& job, uint64_t retries_called_before) {
  if (RetriesCalled(job) == retries_called_before) cancelled_.insert(job);
}

bool Checkers::AllEnded(const core::Core& core) const {
  for (const auto& [id, sweep] : core.state().sweeps) {
    if (SomethingIsAsked(sweep)) return false;
  }
  for (const auto& [id, job] : core.state().jobs) {
    if (state::IsEnded(job.state)) continue;
    if (job.state != state::JobState::kQueued) return false;
    if (RanksThatCouldFit(core.state(), job) >= job.spec->ranks_min) return false;
  }
  return true;
}

void Checkers::AtTheEnd(const core::Core& core, int64_t now_ms) {
  CheckSweepsEnded(core);
  for (const auto& [id, job] : core.state().jobs) {
    if (job.state == state::JobState::kQueued) {
      if (core.Explain(id, now_ms).empty()) Fail("every job that waits has a reason", id);
      if (RanksThatCouldFit(core.state(), job) < job.spec->ranks_min) continue;
    }
    if (!state::IsEnded(job.state)) {
      Fail("what can run ends", absl::StrCat(id, " is ", state::Name(job.state), " long after the ",
                                             "last fault: ", core.Explain(id, now_ms)));
    }
    if (cancelled_.count(id) != 0 && job.state != state::JobState::kCancelled) {
      Fail("a cancel is kept", absl::StrCat(id, " is ", state::Name(job.state)));
    }
  }
}

void Checkers::CountProbes(const state::Outputs& outputs) {
  if (!outputs.deleted_jobs.empty()) context_.probes.Hit("job deleted");
  for (const state::Note& note : outputs.notes) context_.probes.Hit("note: " + note.code);
  if (!outputs.reply.ok()) {
    context_.probes.Hit(absl::StrCat("refused: ", absl::StatusCodeToString(outputs.reply.code())));
  }
}

}  // namespace baton::sim
