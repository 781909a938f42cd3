#include "scheduler/sim/clients.h"

#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "scheduler/sim/program.h"
#include "scheduler/sim/sweeps.h"

namespace baton::sim {
namespace {

constexpr int64_t kAskAgainMs = 5000;
// Submits are refused below this share of free disk, as by the edge.
constexpr double kFreeFractionMin = 0.05;

}  // namespace

Clients::Clients(Context& context, Scheduler& scheduler, Checkers& checkers)
    : context_(context), scheduler_(scheduler), checkers_(checkers) {
  for (int i = 0; i < 12; ++i) specs_.push_back(RandomSpec(context.random));
}

void Clients::Act(const std::vector<state::NodeId>& nodes) {
  if (context_.random.Chance(1, 16)) return SubmitSweep();
  if (context_.random.Chance(1, 60)) return StopSweep();
  const uint64_t dice = context_.random.Below(100);
  if (dice < 62) {
    Submit();
  } else if (dice < 76) {
    Cancel(AnyJob());
  } else if (dice < 86) {
    Retry(AnyJob());
  } else if (dice < 88) {
    scheduler_.Call(state::JobPaused{.job = AnyJob(), .by = "ada"}, nullptr);
  } else if (dice < 90) {
    scheduler_.Call(state::JobResumed{.job = AnyJob(), .by = "ada"}, nullptr);
  } else if (dice < 92) {
    return context_.random.Chance(1, 3) ? DeleteSweep() : Delete(AnyJob());
  } else if (dice < 97) {
    Drain(nodes[context_.random.Below(nodes.size())]);
  } else {
    ReuseRequestId();
  }
}

state::JobId Clients::AnyJob() {
  if (scheduler_.up() && context_.random.Chance(1, 6)) {
    const auto& sweeps = scheduler_.core().state().sweeps;
    if (!sweeps.empty()) {
      const auto which = static_cast<std::ptrdiff_t>(context_.random.Below(sweeps.size()));
      const auto& trials = std::next(sweeps.begin(), which)->second.trials;
      if (!trials.empty()) return trials[context_.random.Below(trials.size())].job;
    }
  }
  const auto& jobs = checkers_.acknowledged();
  if (jobs.empty()) return JobId("a job that nobody submitted", 0);
  const auto index = static_cast<std::ptrdiff_t>(context_.random.Below(jobs.size()));
  return *std::next(jobs.begin(), index);
}

void Clients::Submit() {
  auto request = std::make_shared<Request>();
  state::JobsSubmitted event;
  event.request_id = absl::StrCat("request-", ++requests_);
  event.request_digest = requests_;
  event.submitter =
      std::make_shared<const state::Submitter>(state::Submitter{"ada", "host:/home/ada"});
  const uint64_t jobs = context_.random.Chance(1, 10) ? context_.random.Below(12) + 1 : 1;
  for (uint32_t i = 0; i < jobs; ++i) {
    state::JobSpec spec = specs_[context_.random.Below(specs_.size())];
    if (context_.random.Chance(1, 20)) spec.from_job = AnyJob();
    event.jobs.push_back({JobId(event.request_id, i), absl::StrCat("job-", requests_, "-", i),
                          std::make_shared<const state::JobSpec>(spec)});
  }
  request->id = event.request_id;
  request->event = std::move(event);
  ++waiting_;
  Ask(request);
}

void Clients::SubmitSweep() {
  auto request = std::make_shared<Request>();
  request->id = absl::StrCat("sweep-", ++requests_);
  state::JobSpec spec = specs_[context_.random.Below(specs_.size())];
  if (context_.random.Chance(1, 20)) spec.from_job = AnyJob();
  request->event = RandomSweep(context_.random, request->id, spec);
  ++waiting_;
  Ask(request);
}

// Empty: none is known yet.
state::SweepId Clients::AnySweep() {
  const auto& sweeps = checkers_.acknowledged_sweeps();
  if (sweeps.empty()) return "";
  const auto which = static_cast<std::ptrdiff_t>(context_.random.Below(sweeps.size()));
  return *std::next(sweeps.begin(), which);
}

void Clients::StopSweep() {
  const state::SweepId id = AnySweep();
  if (id.empty()) return;
  context_.Send(
      [this, id] {
        scheduler_.Call(state::SweepStopped{.sweep = id, .by = "ada"},
                        [this, id](const state::Outputs& outputs) {
                          if (outputs.reply.ok()) checkers_.SweepStopAcknowledged(id);
                        });
      },
      [] {});
}

void Clients::DeleteSweep() {
  const state::SweepId id = AnySweep();
  if (id.empty()) return;
  context_.Send(
      [this, id] {
        checkers_.DeleteCalled(id);
        scheduler_.Call(state::SweepDeleted{.sweep = id, .by = "ada"},
                        [this](const state::Outputs& outputs) {
                          if (outputs.reply.ok()) context_.probes.Hit("sweep deleted");
                        });
      },
      [] {});
}

void Clients::TakeAnswer(const Request& request, const state::Outputs& outputs) {
  if (!outputs.reply.ok()) return;
  if (const auto* sweep = std::get_if<state::SweepSubmitted>(&request.event)) {
    checkers_.SweepAcknowledged(sweep->id);
    return;
  }
  answered_.push_back(request.id);
  checkers_.Acknowledged(outputs.job_ids);
}

// The same request until it is answered; the answer may be lost after the jobs were made.
void Clients::Ask(const std::shared_ptr<Request>& request) {
  if (request->answered) return;
  const auto answer = [this, request](const state::Outputs& outputs) {
    checkers_.OnAnswered(scheduler_.store(), outputs);
    context_.Send(
        [this, request, outputs] {
          if (std::exchange(request->answered, true)) return;
          --waiting_;
          TakeAnswer(*request, outputs);
        },
        [] {});
  };
  context_.Send(
      [this, request, answer] {
        if (*scheduler_.store().FreeFraction() < kFreeFractionMin) {
          context_.probes.Hit("submit refused at a full disk");
          return;
        }
        scheduler_.Call(request->event, answer);
      },
      [] {});
  context_.agenda.In(kAskAgainMs, [this, request] {
    if (!request->answered) context_.probes.Hit("submit sent again");
    Ask(request);
  });
}

void Clients::Cancel(const state::JobId& job) {
  context_.Send(
      [this, job] {
        const uint64_t retries = checkers_.RetriesCalled(job);
        scheduler_.Call(state::JobCancelled{.job = job, .by = "ada"},
                        [this, job, retries](const state::Outputs& outputs) {
                          if (outputs.reply.ok()) checkers_.CancelAcknowledged(job, retries);
                        });
      },
      [] {});
}

void Clients::Retry(const state::JobId& job) {
  context_.Send(
      [this, job] {
        checkers_.RetryCalled(job);
        std::string from;
        if (context_.random.Chance(1, 4)) from = state::kFromScratch;
        scheduler_.Call(state::JobRetried{.job = job, .by = "ada", .from = from}, nullptr);
      },
      [] {});
}

void Clients::Delete(const state::JobId& job) {
  context_.Send(
      [this, job] {
        checkers_.DeleteCalled(job);
        scheduler_.Call(state::JobDeleted{.job = job, .by = "ada"}, nullptr);
      },
      [] {});
}

void Clients::Drain(const state::NodeId& node) {
  const int64_t grace_ms = context_.random.Between(0, 20'000);
  scheduler_.Call(state::NodeDrained{.node = node, .reason = "repair", .grace_ms = grace_ms},
                  nullptr);
  context_.agenda.In(context_.random.Between(5'000, 120'000), [this, node] {
    scheduler_.Call(state::NodeUndrained{.node = node}, nullptr);
  });
}

void Clients::ResumeAll() {
  if (!scheduler_.up()) return;
  std::vector<state::JobId> held;
  for (const auto& [id, job] : scheduler_.core().state().jobs) {
    if (job.state == state::JobState::kHeld) held.push_back(id);
  }
  for (const state::JobId& id : held) {
    scheduler_.Call(state::JobResumed{.job = id, .by = "ada"}, nullptr);
  }
}

// The same id for another request must be refused.
void Clients::ReuseRequestId() {
  if (answered_.empty()) return;
  state::JobsSubmitted event;
  event.request_id = answered_[context_.random.Below(answered_.size())];
  event.request_digest = ~uint64_t{0};
  event.submitter = std::make_shared<const state::Submitter>();
  event.jobs.push_back({JobId(event.request_id, 0), "another",
                        std::make_shared<const state::JobSpec>(specs_.front())});
  scheduler_.Call(event, [this](const state::Outputs& outputs) {
    context_.probes.Hit("request id used twice");
    if (!absl::IsAlreadyExists(outputs.reply)) {
      context_.Fail("a request id was accepted for two requests");
    }
  });
}

}  // namespace baton::sim
