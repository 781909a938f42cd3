// What each unary call of proto Client means. Knows no gRPC: a call is a request and a way to
// answer, which is used exactly once, on any thread (unless the process ends first).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "baton/v1/client.pb.h"
#include "scheduler/edge/metrics_view.h"
#include "scheduler/edge/parts.h"

namespace baton::edge {

template <typename Response>
using Done = std::function<void(const absl::Status& status, Response response)>;

// SecretVault::Settle, away from the thread that releases answers. `held` may be empty.
void SettleSecrets(const Parts& parts, const std::vector<state::JobId>& held,
                   const std::set<state::JobId>& there);

class ClientCalls {
 public:
  // Both outlive this.
  ClientCalls(const Parts& parts, MetricsView& metrics) : parts_(parts), metrics_(metrics) {}

  void GetServer(const Done<v1::GetServerResponse>& done);
  void SubmitJobs(const v1::SubmitJobsRequest& request, const Done<v1::SubmitJobsResponse>& done);
  void CancelJob(const v1::CancelJobRequest& request, const Done<v1::CancelJobResponse>& done);
  void RetryJob(const v1::RetryJobRequest& request, const Done<v1::RetryJobResponse>& done);
  void PauseJob(const v1::PauseJobRequest& request, const Done<v1::PauseJobResponse>& done);
  void ResumeJob(const v1::ResumeJobRequest& request, const Done<v1::ResumeJobResponse>& done);
  void DeleteJob(const v1::DeleteJobRequest& request, const Done<v1::DeleteJobResponse>& done);
  void GetJob(const v1::GetJobRequest& request, const Done<v1::GetJobResponse>& done);
  void ListJobs(const v1::ListJobsRequest& request, const Done<v1::ListJobsResponse>& done);
  void ListNodes(const Done<v1::ListNodesResponse>& done);
  void DrainNode(const v1::DrainNodeRequest& request, const Done<v1::DrainNodeResponse>& done);
  void Explain(const v1::ExplainRequest& request, const Done<v1::ExplainResponse>& done);

  // There is room for more, and what the jobs name was uploaded.
  absl::Status CheckCanSubmit(const v1::SubmitJobsRequest& request);

  // Fills in what the job's metric lines say, and what it has fetched. On a thread that may read
  // files.
  void AddMetrics(v1::Job* job);

 private:
  // Asks the core's thread for the id of a job; `then` runs there, in order with other events.
  template <typename Response>
  void WithJob(const std::string& job, const v1::Submitter& asker, const Done<Response>& done,
               std::function<Release(const Seen&, const state::Job&)> then);
  // A change of one job: find it, post the event, answer with the job afterwards.
  template <typename Response>
  void ChangeJob(const std::string& job, const v1::Submitter& asker, const Done<Response>& done,
                 std::function<state::Event(const state::JobId&)> event);
  template <typename Response>
  void OnWorkThread(const Done<Response>& done, std::function<void()> work);
  template <typename Response>
  void Read(const Done<Response>& done, View view);

  // Keeps the secrets of the jobs that are about to be; `held` are their ids, until they are
  // settled.
  absl::Status KeepSecrets(const v1::SubmitJobsRequest& request, const state::JobsSubmitted& event,
                           std::vector<state::JobId>* held);
  absl::Status CheckArtifacts(const v1::SubmitJobsRequest& request);
  absl::Status CheckArtifact(const std::string& digest, const std::string& field);

  static constexpr int64_t kKnownArtifactMs = 60'000;
  static constexpr size_t kKnownArtifactsMax = 10'000;

  const Parts& parts_;
  MetricsView& metrics_;
  std::mutex mutex_;
  std::map<std::string, int64_t> known_artifacts_;  // guarded by mutex_: seen then, monotonic
};

}  // namespace baton::edge
