// The C++ client library: one method per call of baton.v1.Client. Calls that only read, and
// submits (idempotent by their request id), are repeated while the scheduler is away for a moment.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "baton/v1/access.pb.h"
#include "baton/v1/client.pb.h"
#include "common/artifact/artifact.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace baton::client {

// Of a scheduler that speaks TLS.
struct Credentials {
  std::string authority_pem;  // empty: without TLS
  std::string token;
};

class Api {
 public:
  // Asks the server who it is. Unavailable when nobody answers at `address`, FailedPrecondition
  // when another version does; both say what to do.
  static absl::StatusOr<std::unique_ptr<Api>> Connect(const std::string& address,
                                                      const Credentials& credentials = {});
  ~Api();

  const v1::GetServerResponse& server() const;
  const std::string& address() const;

  absl::StatusOr<v1::SubmitJobsResponse> Submit(const v1::SubmitJobsRequest& request);
  absl::StatusOr<v1::Job> GetJob(const std::string& job);
  absl::StatusOr<v1::Job> Cancel(const std::string& job);
  absl::StatusOr<v1::Job> Pause(const std::string& job);
  absl::StatusOr<v1::Job> Resume(const std::string& job);
  // `from`: a checkpoint's name or step, or "scratch"; empty: the newest.
  absl::StatusOr<v1::Job> Retry(const std::string& job, const std::string& from);
  // The id of what is no more.
  absl::StatusOr<std::string> Delete(const std::string& job);
  // All jobs, newest first.
  absl::StatusOr<std::vector<v1::Job>> ListJobs();
  absl::StatusOr<std::vector<v1::Node>> ListNodes();
  absl::StatusOr<v1::Node> DrainNode(const v1::DrainNodeRequest& request);
  absl::StatusOr<v1::ExplainResponse> Explain(const std::string& job);

  // Calls `seen` with the job now and at each change until it has ended, `seen` returns false or
  // `stop` is set; goes on by itself after a restart of the scheduler. Cancelled after `stop`.
  using JobSeen = std::function<bool(const v1::WatchJobResponse&)>;
  absl::Status Watch(const std::string& job, const std::atomic<bool>& stop, const JobSeen& seen);

  // Calls `data` with each piece of the job's streams, every byte once, in order per stream;
  // goes on by itself after a restart of the scheduler.
  struct ReadOptions {
    v1::StreamKind kind = v1::LOG;
    bool follow = false;
  };
  using DataSeen = std::function<void(const v1::ReadStreamsResponse&)>;
  absl::Status Read(const std::string& job, const ReadOptions& options,
                    const std::atomic<bool>& stop, const DataSeen& data);

  absl::StatusOr<v1::WhoAmIResponse> WhoAmI();
  // The token's text, which is told this once.
  absl::StatusOr<std::string> CreateToken(const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::ListTokensResponse> ListTokens();
  absl::Status RevokeToken(const std::string& id);

  // The records of a segment of the event log, in pieces; 0: the newest.
  absl::Status ExportLog(uint64_t segment, const std::function<void(const std::string&)>& piece);

  // For streams of other services (tunnel.h).
  std::shared_ptr<grpc::Channel> channel();

  // The scheduler's blob store.
  artifact::Store& blobs();

 private:
  struct State;
  explicit Api(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Who asks and from where: "latest" is this submitter's newest job.
v1::Submitter ThisSubmitter();

}  // namespace baton::client
