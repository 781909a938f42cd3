#include "scheduler/edge/client_calls.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "scheduler/core/labels.h"
#include "scheduler/edge/disk_room.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/task_extras.h"
#include "scheduler/edge/to_wire.h"
#include "scheduler/edge/validate.h"
#include "scheduler/store/notes.h"

namespace baton::edge {
namespace {

constexpr int kPageDefault = 500;
constexpr int kPageMax = 1'000;
constexpr int64_t kGraceMsMax = 24 * 3'600'000;
constexpr size_t kReasonMax = 1'024;

// A node by name, id or unique prefix of its id.
absl::StatusOr<const state::Node*> FindNode(const Seen& seen, const std::string& what) {
  const auto& nodes = seen.core.state().nodes;
  std::vector<const state::Node*> found;
  for (const auto& [id, node] : nodes) {
    if (id == what) return &node;
    if (node.offer.name == what) found.push_back(&node);
  }
  if (found.empty() && !what.empty()) {
    for (auto it = nodes.lower_bound(what); it != nodes.end() && absl::StartsWith(it->first, what);
         ++it) {
      found.push_back(&it->second);
    }
  }
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no node has the name or id \"", what, "\"; `baton nodes` lists them"));
  }
  if (found.size() == 1) return found.front();
  // A machine that came back with an empty disk has a new id under its old name.
  const state::Node* up = nullptr;
  for (const state::Node* node : found) {
    if (!node->up) continue;
    if (up != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("several nodes are called \"", what, "\"; give an id: ",
                       absl::StrJoin(found, ", ", [](std::string* out, const state::Node* n) {
                         absl::StrAppend(out, n->offer.id);
                       })));
    }
    up = node;
  }
  return up != nullptr ? up : found.back();
}

bool AnyNodeUp(const Seen& seen) {
  for (const auto& [id, node] : seen.core.state().nodes) {
    if (node.up) return true;
  }
  return false;
}

std::string OwnerOf(const v1::Submitter& submitter) {
  return submitter.owner().empty() ? "somebody" : submitter.owner();
}

// A label that no node has is most often a slip, and a job that asks for it waits for ever.
void WarnOfLabels(const Seen& seen, v1::SubmitJobsResponse* response) {
  const state::JobSpec* checked = nullptr;
  for (const state::JobId& id : seen.outputs->job_ids) {
    const auto job = seen.core.state().jobs.find(id);
    if (job == seen.core.state().jobs.end() || job->second.spec.get() == checked) continue;
    checked = job->second.spec.get();
    if (seen.core.state().nodes.empty()) return;
    const std::string unknown = core::UnknownLabels(checked->require, seen.core.state());
    if (!unknown.empty())
      response->add_warnings(absl::StrCat(unknown, "; it waits for such a node"));
  }
}

}  // namespace

template <typename Response>
void ClientCalls::Read(const Done<Response>& done, View view) {
  const absl::Status posted = parts_.driver.Read(Driver::Source::kClient, std::move(view));
  if (!posted.ok()) done(posted, {});
}

template <typename Response>
void ClientCalls::OnWorkThread(const Done<Response>& done, std::function<void()> work) {
  const absl::Status queued = parts_.work.Run(std::move(work));
  if (!queued.ok()) done(queued, {});
}

void SettleSecrets(const Parts& parts, const std::vector<state::JobId>& held,
                   const std::set<state::JobId>& there) {
  if (held.empty()) return;
  const auto settle = [&parts, held, there] { parts.secrets.Settle(held, there); };
  if (!parts.work.Run(settle).ok()) settle();
}

template <typename Response>
void ClientCalls::WithJob(const std::string& job, const v1::Submitter& asker,
                          const Done<Response>& done,
                          std::function<Release(const Seen&, const state::Job&)> then) {
  Read(done,
       [job, asker = SubmitterFromWire(asker), done,
        then = std::move(then)](const Seen& seen) -> Release {
         const auto found = seen.index.Find(job, asker);
         if (!found.ok()) return [done, status = found.status()] { done(status, {}); };
         return then(seen, **found);
       });
}

void ClientCalls::GetServer(const Done<v1::GetServerResponse>& done) {
  Read(done, [this, done](const Seen& seen) -> Release {
    v1::GetServerResponse response;
    response.set_version(kVersion);
    response.set_protocol_min(kProtocolMin);
    response.set_protocol_max(kProtocolMax);
    response.set_term(parts_.facts.term);
    response.set_started_unix_ms(parts_.facts.started_unix_ms);
    response.set_cluster_id(parts_.facts.cluster_id);
    response.set_jobs(seen.index.jobs());
    response.set_queued(seen.index.queued());
    int32_t up = 0;
    for (const auto& [id, node] : seen.core.state().nodes) up += node.up ? 1 : 0;
    response.set_nodes_up(up);
    return [done, response] { done(absl::OkStatus(), response); };
  });
}

absl::Status ClientCalls::CheckArtifact(const std::string& digest, const std::string& field) {
  const int64_t now_ms = parts_.clock.MonotonicMillis();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = known_artifacts_.find(digest);
    if (it != known_artifacts_.end() && now_ms - it->second < kKnownArtifactMs) {
      return absl::OkStatus();
    }
  }
  const absl::Status status = parts_.artifacts.GetManifest(digest).status();
  if (absl::IsNotFound(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", digest, " is not in the scheduler's store; upload it first"));
  }
  BATON_RETURN_IF_ERROR(status);
  std::lock_guard<std::mutex> lock(mutex_);
  if (known_artifacts_.size() >= kKnownArtifactsMax) known_artifacts_.clear();
  known_artifacts_[digest] = now_ms;
  return absl::OkStatus();
}

absl::Status ClientCalls::CheckArtifacts(const v1::SubmitJobsRequest& request) {
  std::set<std::string> seen;
  for (int i = 0; i < request.jobs_size(); ++i) {
    const v1::JobSpec& spec = request.jobs(i);
    if (!spec.package_digest().empty() && seen.insert(spec.package_digest()).second) {
      BATON_RETURN_IF_ERROR(
          CheckArtifact(spec.package_digest(), absl::StrCat("jobs[", i, "].package_digest")));
    }
    if (!spec.data_digest().empty() && seen.insert(spec.data_digest()).second) {
      BATON_RETURN_IF_ERROR(
          CheckArtifact(spec.data_digest(), absl::StrCat("jobs[", i, "].data_digest")));
    }
    for (const v1::DataSet& data : spec.data()) {
      if (data.digest().empty() || !seen.insert(data.digest()).second) continue;
      BATON_RETURN_IF_ERROR(CheckArtifact(
          data.digest(), absl::StrCat("jobs[", i, "].data[", data.name(), "].digest")));
    }
  }
  return absl::OkStatus();
}

absl::Status ClientCalls::CheckCanSubmit(const v1::SubmitJobsRequest& request) {
  BATON_RETURN_IF_ERROR(CheckDiskRoom(parts_.store));
  return CheckArtifacts(request);
}

// Before their jobs are stored: a job that exists never lacks its secrets. One that was there
// before, by the same request, keeps what it has.
absl::Status ClientCalls::KeepSecrets(const v1::SubmitJobsRequest& request,
                                      const state::JobsSubmitted& event,
                                      std::vector<state::JobId>* held) {
  SecretVault::ByJob by_job;
  for (int i = 0; i < request.jobs_size(); ++i) {
    const auto& names = request.jobs(i).secret_names();
    if (names.empty()) continue;
    Secrets secrets;
    for (const v1::EnvironmentVariable& secret : request.secrets()) {
      if (std::find(names.begin(), names.end(), secret.name()) == names.end()) continue;
      secrets.emplace_back(secret.name(), secret.value());
    }
    by_job.emplace_back(event.jobs[static_cast<size_t>(i)].id, std::move(secrets));
  }
  BATON_RETURN_IF_ERROR(parts_.secrets.Keep(by_job));
  for (const auto& [job, secrets] : by_job) held->push_back(job);
  return absl::OkStatus();
}

void ClientCalls::SubmitJobs(const v1::SubmitJobsRequest& request,
                             const Done<v1::SubmitJobsResponse>& done) {
  v1::SubmitJobsRequest values;
  *values.mutable_secrets() = request.secrets();
  auto event = SubmitFromWire(
      request, values.secrets().empty() ? "" : parts_.secrets.Mac(values.SerializeAsString()));
  absl::Status status = event.status();
  if (status.ok()) status = CheckCanSubmit(request);
  std::vector<state::JobId> held;
  if (status.ok() && !values.secrets().empty()) status = KeepSecrets(request, *event, &held);
  if (!status.ok()) {
    done(status, {});
    return;
  }
  const absl::Status posted = parts_.driver.Post(
      Driver::Source::kClient, *std::move(event), [this, done, held](const Seen& seen) -> Release {
        const auto& jobs = seen.core.state().jobs;
        std::set<state::JobId> there;
        for (const state::JobId& id : seen.outputs->job_ids) {
          if (jobs.count(id) != 0) there.insert(id);  // not one that was deleted since
        }
        if (!seen.outputs->reply.ok()) {
          return [this, done, held, refusal = seen.outputs->reply] {
            SettleSecrets(parts_, held, {});
            done(refusal, {});
          };
        }
        v1::SubmitJobsResponse response;
        for (const state::JobId& id : seen.outputs->job_ids) response.add_job_ids(id);
        if (!AnyNodeUp(seen)) {
          response.add_warnings("no worker is connected to the scheduler; jobs wait for one");
        }
        WarnOfLabels(seen, &response);
        return [this, done, held, there, response = std::move(response)]() mutable {
          SettleSecrets(parts_, held, there);
          done(absl::OkStatus(), std::move(response));
        };
      });
  if (posted.ok()) return;
  SettleSecrets(parts_, held, {});
  done(posted, {});
}

template <typename Response>
void ClientCalls::ChangeJob(const std::string& job, const v1::Submitter& asker,
                            const Done<Response>& done,
                            std::function<state::Event(const state::JobId&)> event) {
  WithJob(job, asker, done,
          [this, done, event = std::move(event)](const Seen&, const state::Job& found) -> Release {
            return [this, done, event, id = found.id] {
              const absl::Status posted = parts_.driver.Post(
                  Driver::Source::kClient, event(id),
                  [this, done, id](const Seen& seen) -> Release {
                    if (!seen.outputs->reply.ok()) {
                      return [done, refusal = seen.outputs->reply] { done(refusal, {}); };
                    }
                    Response response;
                    *response.mutable_job() =
                        JobToWire(seen, parts_.progress, seen.core.state().jobs.at(id));
                    return [this, done, response] {
                      OnWorkThread(done, [this, done, response]() mutable {
                        AddMetrics(response.mutable_job());
                        done(absl::OkStatus(), std::move(response));
                      });
                    };
                  });
              if (!posted.ok()) done(posted, {});
            };
          });
}

void ClientCalls::CancelJob(const v1::CancelJobRequest& request,
                            const Done<v1::CancelJobResponse>& done) {
  ChangeJob(request.job(), request.submitter(), done,
            [by = OwnerOf(request.submitter())](const state::JobId& id) -> state::Event {
              return state::JobCancelled{.job = id, .by = by};
            });
}

void ClientCalls::RetryJob(const v1::RetryJobRequest& request,
                           const Done<v1::RetryJobResponse>& done) {
  ChangeJob(request.job(), request.submitter(), done,
            [by = OwnerOf(request.submitter()), from = request.from()](const state::JobId& id)
                -> state::Event { return state::JobRetried{.job = id, .by = by, .from = from}; });
}

void ClientCalls::PauseJob(const v1::PauseJobRequest& request,
                           const Done<v1::PauseJobResponse>& done) {
  ChangeJob(request.job(), request.submitter(), done,
            [by = OwnerOf(request.submitter())](const state::JobId& id) -> state::Event {
              return state::JobPaused{.job = id, .by = by};
            });
}

void ClientCalls::ResumeJob(const v1::ResumeJobRequest& request,
                            const Done<v1::ResumeJobResponse>& done) {
  ChangeJob(request.job(), request.submitter(), done,
            [by = OwnerOf(request.submitter())](const state::JobId& id) -> state::Event {
              return state::JobResumed{.job = id, .by = by};
            });
}

// Its record goes first and its streams after it: a scheduler that dies in between finds the rest
// at its next start (scheduler.cc).
void ClientCalls::DeleteJob(const v1::DeleteJobRequest& request,
                            const Done<v1::DeleteJobResponse>& done) {
  WithJob(request.job(), request.submitter(), done,
          [this, done, by = OwnerOf(request.submitter())](const Seen&,
                                                          const state::Job& found) -> Release {
            return [this, done, by, id = found.id] {
              const absl::Status posted = parts_.driver.Post(
                  Driver::Source::kClient, state::JobDeleted{.job = id, .by = by},
                  [this, done, id](const Seen& seen) -> Release {
                    return [this, done, id, reply = seen.outputs->reply] {
                      if (!reply.ok()) return done(reply, {});
                      OnWorkThread(done, [this, done, id] {
                        v1::DeleteJobResponse response;
                        response.set_job_id(id);
                        parts_.secrets.Forget(id);
                        parts_.fetched.Forget(id);
                        done(parts_.journal_writer.Forget(id), response);
                      });
                    };
                  });
              if (!posted.ok()) done(posted, {});
            };
          });
}

void ClientCalls::AddMetrics(v1::Job* job) {
  ShowFetched(parts_, job);
  const MetricsNow now = metrics_.Newest(job->id());
  job->set_metrics_json(now.json);
  job->set_steps_total(now.steps_total);
  job->set_epoch(now.epoch);
  // What workers last said of a step is not stored, and metrics are: after a restart of the
  // scheduler they know more, until the worker is back.
  if (job->attempts().empty()) return;
  v1::Attempt& newest = *job->mutable_attempts()->rbegin();
  if (newest.number() != now.attempt || newest.end_unix_ms() != 0) return;
  newest.set_last_step(std::max(newest.last_step(), now.step));
  job->set_step(std::max(job->step(), now.step));
}

void ClientCalls::GetJob(const v1::GetJobRequest& request, const Done<v1::GetJobResponse>& done) {
  WithJob(request.job(), request.submitter(), done,
          [this, done](const Seen& seen, const state::Job& job) -> Release {
            v1::GetJobResponse response;
            *response.mutable_job() = JobToWire(seen, parts_.progress, job);
            return [this, done, response = std::move(response)] {
              OnWorkThread(done, [this, done, response]() mutable {
                AddMetrics(response.mutable_job());
                done(absl::OkStatus(), std::move(response));
              });
            };
          });
}

void ClientCalls::ListJobs(const v1::ListJobsRequest& request,
                           const Done<v1::ListJobsResponse>& done) {
  const int size = request.page_size() == 0 ? kPageDefault : request.page_size();
  if (size < 1 || size > kPageMax) {
    done(absl::InvalidArgumentError(absl::StrCat("page_size: is ", size, ", must be 1 to 1000")),
         {});
    return;
  }
  Read(done, [this, done, size, token = request.page_token()](const Seen& seen) -> Release {
    const auto page = seen.index.List(token, size);
    if (!page.ok()) return [done, status = page.status()] { done(status, {}); };
    auto response = std::make_shared<v1::ListJobsResponse>();
    for (const state::Job* job : page->jobs) {
      *response->add_jobs() = JobToListWire(seen, parts_.progress, *job);
    }
    response->set_next_page_token(page->next);
    return [this, done, response] {
      OnWorkThread(done, [this, done, response] {
        for (v1::Job& job : *response->mutable_jobs()) {
          if (job.step() > 0) job.set_steps_total(metrics_.StepsTotal(job.id()));
        }
        done(absl::OkStatus(), std::move(*response));
      });
    };
  });
}

void ClientCalls::ListNodes(const Done<v1::ListNodesResponse>& done) {
  Read(done, [this, done](const Seen& seen) -> Release {
    auto response = std::make_shared<v1::ListNodesResponse>();
    for (const auto& [id, node] : seen.core.state().nodes) {
      *response->add_nodes() = NodeToWire(seen, parts_.sessions, node);
    }
    return [done, response] { done(absl::OkStatus(), std::move(*response)); };
  });
}

void ClientCalls::DrainNode(const v1::DrainNodeRequest& request,
                            const Done<v1::DrainNodeResponse>& done) {
  if (request.grace_ms() < 0 || request.grace_ms() > kGraceMsMax) {
    done(absl::InvalidArgumentError("grace_ms: must be 0 (the default) to one day"), {});
    return;
  }
  if (request.reason().size() > kReasonMax) {
    done(absl::InvalidArgumentError("reason: is longer than 1024 bytes"), {});
    return;
  }
  Read(done, [this, done, request](const Seen& seen) -> Release {
    const auto node = FindNode(seen, request.node());
    if (!node.ok()) return [done, status = node.status()] { done(status, {}); };
    return [this, done, request, id = (*node)->offer.id] {
      state::Event event = state::NodeUndrained{.node = id};
      if (!request.undrain()) {
        event = state::NodeDrained{
            .node = id, .reason = request.reason(), .grace_ms = request.grace_ms()};
      }
      const absl::Status posted = parts_.driver.Post(
          Driver::Source::kClient, std::move(event),
          [this, done, id](const Seen& after) -> Release {
            if (!after.outputs->reply.ok()) {
              return [done, refusal = after.outputs->reply] { done(refusal, {}); };
            }
            v1::DrainNodeResponse response;
            *response.mutable_node() =
                NodeToWire(after, parts_.sessions, after.core.state().nodes.at(id));
            return [done, response] { done(absl::OkStatus(), response); };
          });
      if (!posted.ok()) done(posted, {});
    };
  });
}

void ClientCalls::Explain(const v1::ExplainRequest& request,
                          const Done<v1::ExplainResponse>& done) {
  WithJob(request.job(), request.submitter(), done,
          [this, done](const Seen& seen, const state::Job& job) -> Release {
            v1::ExplainResponse response;
            *response.mutable_job() = JobToWire(seen, parts_.progress, job);
            return [this, done, response = std::move(response)] {
              OnWorkThread(done, [this, done, response]() mutable {
                const auto notes = store::ReadNotes(parts_.store, response.job().id());
                if (!notes.ok()) {
                  done(notes.status(), {});
                  return;
                }
                for (const state::Note& note : *notes) *response.add_notes() = ToWire(note);
                AddMetrics(response.mutable_job());
                done(absl::OkStatus(), std::move(response));
              });
            };
          });
}

}  // namespace baton::edge
