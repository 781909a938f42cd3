#include "scheduler/edge/sweep_calls.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/core/labels.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/sweep_wire.h"
#include "scheduler/edge/to_wire.h"
#include "scheduler/store/notes.h"

namespace baton::edge {
namespace {

bool Newer(const state::Sweep& a, const state::Sweep& b) {
  return a.submit_ms != b.submit_ms ? a.submit_ms > b.submit_ms : a.id > b.id;
}

// By id, by name (its newest), "latest" of the asker, or by a prefix of an id that is unique.
absl::StatusOr<const state::Sweep*> FindSweep(const state::State& state, const std::string& what,
                                              const v1::Submitter& asker) {
  const auto exact = state.sweeps.find(what);
  if (exact != state.sweeps.end()) return &exact->second;
  const state::Submitter who = SubmitterFromWire(asker);
  const state::Sweep* newest = nullptr;
  std::vector<const state::Sweep*> begun;
  for (const auto& [id, sweep] : state.sweeps) {
    const bool meant = what == "latest" ? sweep.submitter != nullptr && *sweep.submitter == who
                                        : sweep.name == what;
    if (meant && (newest == nullptr || Newer(sweep, *newest))) newest = &sweep;
    if (!what.empty() && absl::StartsWith(id, what)) begun.push_back(&sweep);
  }
  if (newest != nullptr) return newest;
  if (begun.size() == 1) return begun.front();
  if (begun.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", what, "\" is the beginning of several sweeps' ids; type more of it"));
  }
  return absl::NotFoundError(
      absl::StrCat("no sweep has the name or id \"", what, "\"; `baton sweeps` lists all"));
}

}  // namespace

void SweepCalls::Submit(const v1::SubmitSweepRequest& request,
                        const Done<v1::SubmitSweepResponse>& done) {
  v1::SubmitJobsRequest like;
  *like.mutable_secrets() = request.secrets();
  auto event = SweepFromWire(
      request, like.secrets().empty() ? "" : parts_.secrets.Mac(like.SerializeAsString()));
  absl::Status status = event.status();
  if (status.ok()) {
    *like.add_jobs() = request.job();
    status = clients_.CheckCanSubmit(like);
  }
  // For all trials; before the sweep is stored, as with a job.
  std::vector<state::SweepId> held;
  if (status.ok() && !like.secrets().empty()) {
    Secrets secrets;
    for (const v1::EnvironmentVariable& secret : like.secrets()) {
      secrets.emplace_back(secret.name(), secret.value());
    }
    status = parts_.secrets.Keep({{event->id, std::move(secrets)}});
    if (status.ok()) held.push_back(event->id);
  }
  if (!status.ok()) {
    done(status, {});
    return;
  }
  const state::SweepId id = event->id;
  const absl::Status posted = parts_.driver.Post(
      Driver::Source::kClient, *std::move(event),
      [this, done, id, held](const Seen& seen) -> Release {
        const auto& nodes = seen.core.state().nodes;
        const bool any_up = std::any_of(nodes.begin(), nodes.end(),
                                        [](const auto& node) { return node.second.up; });
        std::set<state::SweepId> there;
        const auto sweep = seen.core.state().sweeps.find(id);
        const bool is_there = sweep != seen.core.state().sweeps.end();
        const bool goes_on = is_there && !state::IsEnded(sweep->second.state);
        if (seen.outputs->reply.ok() && goes_on) there.insert(id);
        // A label that no node has is most often a slip.
        const std::string unknown =
            nodes.empty() || !is_there
                ? ""
                : core::UnknownLabels(sweep->second.spec->require, seen.core.state());
        return [this, done, id, held, there, any_up, unknown, reply = seen.outputs->reply] {
          SettleSecrets(parts_, held, there);
          v1::SubmitSweepResponse response;
          response.set_sweep_id(id);
          if (!any_up) {
            response.add_warnings("no worker is connected to the scheduler; trials wait for one");
          }
          if (!unknown.empty()) {
            response.add_warnings(absl::StrCat(unknown, "; its trials wait for such a node"));
          }
          done(reply, std::move(response));
        };
      });
  if (posted.ok()) return;
  SettleSecrets(parts_, held, {});
  done(posted, {});
}

void SweepCalls::AddMetrics(v1::Sweep* sweep) {
  for (v1::Trial& trial : *sweep->mutable_trials()) {
    if (trial.done()) continue;
    const MetricsNow now = metrics_.Newest(trial.job_id());
    const auto value = MetricIn(now.json, sweep->plan().metric());
    if (value.has_value()) trial.set_metric(*value);
    trial.set_step(std::max(trial.step(), now.step));
  }
}

absl::Status SweepCalls::AddNotes(v1::GetSweepResponse* response) {
  BATON_ASSIGN_OR_RETURN(const std::vector<state::Note> notes,
                         store::ReadNotes(parts_.store, response->sweep().id()));
  for (const state::Note& note : notes) *response->add_notes() = ToWire(note);
  return absl::OkStatus();
}

void SweepCalls::Get(const v1::GetSweepRequest& request, const Done<v1::GetSweepResponse>& done) {
  const absl::Status posted = parts_.driver.Read(
      Driver::Source::kClient, [this, done, request](const Seen& seen) -> Release {
        const auto found = FindSweep(seen.core.state(), request.sweep(), request.submitter());
        if (!found.ok()) return [done, status = found.status()] { done(status, {}); };
        auto response = std::make_shared<v1::GetSweepResponse>();
        *response->mutable_sweep() =
            SweepToWire(seen, parts_.progress, **found,
                        request.without_trials() ? Trials::kNone : Trials::kAll);
        return [this, done, response, with_notes = request.with_notes()] {
          const absl::Status queued = parts_.work.Run([this, done, response, with_notes] {
            AddMetrics(response->mutable_sweep());
            const absl::Status noted = with_notes ? AddNotes(response.get()) : absl::OkStatus();
            done(noted, std::move(*response));
          });
          if (!queued.ok()) done(queued, {});
        };
      });
  if (!posted.ok()) done(posted, {});
}

void SweepCalls::List(const Done<v1::ListSweepsResponse>& done) {
  const absl::Status posted =
      parts_.driver.Read(Driver::Source::kClient, [this, done](const Seen& seen) -> Release {
        std::vector<const state::Sweep*> sweeps;
        for (const auto& [id, sweep] : seen.core.state().sweeps) sweeps.push_back(&sweep);
        std::sort(sweeps.begin(), sweeps.end(),
                  [](const state::Sweep* a, const state::Sweep* b) { return Newer(*a, *b); });
        v1::ListSweepsResponse response;
        for (const state::Sweep* sweep : sweeps) {
          *response.add_sweeps() = SweepToWire(seen, parts_.progress, *sweep, Trials::kNone);
        }
        return [done, response = std::move(response)]() mutable {
          done(absl::OkStatus(), std::move(response));
        };
      });
  if (!posted.ok()) done(posted, {});
}

// A step at a time, so that neither readers nor the scheduler's end wait for it; what is left then
// goes at its next start (scheduler.cc).
void SweepCalls::ForgetStreams(const std::shared_ptr<std::vector<state::JobId>>& jobs) {
  while (!jobs->empty()) {
    const state::JobId job = jobs->back();
    jobs->pop_back();
    parts_.fetched.Forget(job);
    const absl::Status forgotten = parts_.journal_writer.Forget(job);
    if (!forgotten.ok()) {
      LogWarning(absl::StrCat("logs of deleted job ", job, ": ", forgotten.message()));
    }
    const absl::Status queued = parts_.work.Run([this, jobs] { ForgetStreams(jobs); });
    if (!absl::IsResourceExhausted(queued)) return;
  }
}

void SweepCalls::Delete(const v1::DeleteSweepRequest& request,
                        const Done<v1::DeleteSweepResponse>& done) {
  const auto release = [this, done](const state::SweepId& id, const state::Outputs& outputs) {
    if (!outputs.reply.ok()) return done(outputs.reply, {});
    v1::DeleteSweepResponse response;
    response.set_sweep_id(id);
    response.set_jobs(static_cast<int32_t>(outputs.deleted_jobs.size()));
    auto jobs = std::make_shared<std::vector<state::JobId>>();
    for (const auto& job : outputs.deleted_jobs) jobs->push_back(job->id);
    const absl::Status queued = parts_.work.Run([this, done, id, jobs, response] {
      parts_.secrets.Forget(id);
      done(absl::OkStatus(), response);
      ForgetStreams(jobs);
    });
    // It is deleted all the same; what it leaves on the disk goes at the next start.
    if (!queued.ok()) done(absl::OkStatus(), response);
  };
  const std::string by =
      request.submitter().owner().empty() ? "somebody" : request.submitter().owner();
  const auto post = [this, done, release, by](const state::SweepId& id) {
    const absl::Status posted = parts_.driver.Post(
        Driver::Source::kClient, state::SweepDeleted{.sweep = id, .by = by},
        [release, id](const Seen& seen) -> Release {
          return [release, id, outputs = *seen.outputs] { release(id, outputs); };
        });
    if (!posted.ok()) done(posted, {});
  };
  const absl::Status posted = parts_.driver.Read(
      Driver::Source::kClient, [done, post, request](const Seen& seen) -> Release {
        const auto found = FindSweep(seen.core.state(), request.sweep(), request.submitter());
        if (!found.ok()) return [done, status = found.status()] { done(status, {}); };
        return [post, id = (*found)->id] { post(id); };
      });
  if (!posted.ok()) done(posted, {});
}

void SweepCalls::Stop(const v1::StopSweepRequest& request,
                      const Done<v1::StopSweepResponse>& done) {
  const std::string by =
      request.submitter().owner().empty() ? "somebody" : request.submitter().owner();
  const auto stop = [this, done, by](const state::SweepId& id) {
    const absl::Status posted = parts_.driver.Post(
        Driver::Source::kClient, state::SweepStopped{.sweep = id, .by = by},
        [this, done, id](const Seen& seen) -> Release {
          v1::StopSweepResponse response;
          const auto sweep = seen.core.state().sweeps.find(id);
          if (sweep != seen.core.state().sweeps.end()) {
            *response.mutable_sweep() =
                SweepToWire(seen, parts_.progress, sweep->second, Trials::kNone);
          }
          return [done, reply = seen.outputs->reply, response = std::move(response)]() mutable {
            done(reply, std::move(response));
          };
        });
    if (!posted.ok()) done(posted, {});
  };
  const absl::Status posted = parts_.driver.Read(
      Driver::Source::kClient, [done, stop, request](const Seen& seen) -> Release {
        const auto found = FindSweep(seen.core.state(), request.sweep(), request.submitter());
        if (!found.ok()) return [done, status = found.status()] { done(status, {}); };
        return [stop, id = (*found)->id] { stop(id); };
      });
  if (!posted.ok()) done(posted, {});
}

}  // namespace baton::edge
