#include "client/api.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <pwd.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/access.grpc.pb.h"
#include "baton/v1/client.grpc.pb.h"
#include "client/exit_code.h"
#include "client/patiently.h"
#include "common/artifact/blob.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::client {
namespace {

using std::chrono::milliseconds;

constexpr int kProtocol = 1;
constexpr int64_t kCallDeadlineMs = 30'000;
constexpr milliseconds kFirstPatience{3'000};  // a scheduler that is just being started again
constexpr milliseconds kPause{50};

bool Away(const absl::Status& status) { return absl::IsUnavailable(status); }

// Cancels a stream when `stop` is set: a blocking read knows nothing of Ctrl-C.
class StopWatch {
 public:
  StopWatch(grpc::ClientContext& context, const std::atomic<bool>& stop)
      : thread_([this, &context, &stop] {
          while (!done_.load()) {
            if (stop.load()) return context.TryCancel();
            std::this_thread::sleep_for(kPause);
          }
        }) {}
  ~StopWatch() {
    done_.store(true);
    thread_.join();
  }
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

absl::Status Explained(const absl::Status& status, const std::string& address) {
  if (!Away(status)) return status;
  return absl::UnavailableError(
      absl::StrCat("no scheduler answers at ", address, " (", std::string(status.message()),
                   "); is it running? `baton local up` starts one here, --address names another"));
}

}  // namespace

struct Api::State {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Client::Stub> stub;
  std::unique_ptr<v1::Access::Stub> access;
  std::unique_ptr<artifact::Store> blobs;
  v1::GetServerResponse server;
  v1::Submitter submitter = ThisSubmitter();

  // One unary call, with its deadline and patience.
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::Client::Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                    const Request& request, Response* response) {
    return Explained(Patiently([&] {
                       grpc::ClientContext context;
                       rpc::SetDeadline(context, kCallDeadlineMs);
                       return rpc::FromGrpc((stub.get()->*method)(&context, request, response));
                     }),
                     address);
  }

  // One of proto Access, which is not repeated: a token that was made and not heard of stays.
  template <typename Request, typename Response>
  absl::Status CallAccess(grpc::Status (v1::Access::Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                          const Request& request, Response* response) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kCallDeadlineMs);
    return Explained(rpc::FromGrpc((access.get()->*method)(&context, request, response)), address);
  }
};

Api::Api(std::unique_ptr<State> state) : state_(std::move(state)) {}
Api::~Api() = default;

absl::StatusOr<std::unique_ptr<Api>> Api::Connect(const std::string& address,
                                                  const Credentials& credentials) {
  auto state = std::make_unique<State>();
  state->address = address;
  rpc::ChannelOptions dial;
  if (!credentials.authority_pem.empty()) {
    dial.identity = tls::Identity{credentials.authority_pem, "", ""};
    dial.token = credentials.token;
  }
  BATON_ASSIGN_OR_RETURN(state->channel, rpc::Dial(address, dial));
  state->stub = v1::Client::NewStub(state->channel);
  state->access = v1::Access::NewStub(state->channel);
  // Little patience at the first word: a wrong address is a mistake to be told of soon.
  Patience patience(kFirstPatience);
  const absl::Status status = Patiently(
      [&] {
        grpc::ClientContext context;
        rpc::SetDeadline(context, 5'000);
        return rpc::FromGrpc(
            state->stub->GetServer(&context, v1::GetServerRequest(), &state->server));
      },
      patience);
  if (absl::IsUnimplemented(status)) {
    return absl::FailedPreconditionError(absl::StrCat("what answers at ", address,
                                                      " is no Baton scheduler, or one of another "
                                                      "version; give the right --address"));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return Explained(absl::UnavailableError("no answer within 5 s"), address);
  }
  BATON_RETURN_IF_ERROR(Explained(status, address));
  const v1::GetServerResponse& server = state->server;
  if (kProtocol < server.protocol_min() || kProtocol > server.protocol_max()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the scheduler at ", address, " (version ", server.version(),
                     ") speaks protocol ", server.protocol_min(), " to ", server.protocol_max(),
                     ", this `baton` speaks ", kProtocol, "; use the `baton` of that version"));
  }
  state->blobs = std::make_unique<artifact::BlobStore>(state->channel);
  return std::unique_ptr<Api>(new Api(std::move(state)));
}

absl::StatusOr<v1::WhoAmIResponse> Api::WhoAmI() {
  v1::WhoAmIResponse response;
  BATON_RETURN_IF_ERROR(
      state_->CallAccess(&v1::Access::Stub::WhoAmI, v1::WhoAmIRequest(), &response));
  return response;
}

absl::StatusOr<std::string> Api::CreateToken(const v1::CreateTokenRequest& request) {
  v1::CreateTokenResponse response;
  BATON_RETURN_IF_ERROR(state_->CallAccess(&v1::Access::Stub::CreateToken, request, &response));
  return response.token();
}

absl::StatusOr<v1::ListTokensResponse> Api::ListTokens() {
  v1::ListTokensResponse response;
  BATON_RETURN_IF_ERROR(
      state_->CallAccess(&v1::Access::Stub::ListTokens, v1::ListTokensRequest(), &response));
  return response;
}

absl::Status Api::RevokeToken(const std::string& id) {
  v1::RevokeTokenRequest request;
  request.set_id(id);
  v1::RevokeTokenResponse response;
  return state_->CallAccess(&v1::Access::Stub::RevokeToken, request, &response);
}

const v1::GetServerResponse& Api::server() const { return state_->server; }
const std::string& Api::address() const { return state_->address; }
std::shared_ptr<grpc::Channel> Api::channel() { return state_->channel; }
artifact::Store& Api::blobs() { return *state_->blobs; }

absl::StatusOr<v1::SubmitJobsResponse> Api::Submit(const v1::SubmitJobsRequest& request) {
  v1::SubmitJobsResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::SubmitJobs, request, &response));
  return response;
}

absl::StatusOr<v1::Job> Api::GetJob(const std::string& job) {
  v1::GetJobRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::GetJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::GetJob, request, &response));
  return response.job();
}

absl::StatusOr<v1::Job> Api::Cancel(const std::string& job) {
  v1::CancelJobRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::CancelJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::CancelJob, request, &response));
  return response.job();
}

absl::StatusOr<v1::Job> Api::Retry(const std::string& job, const std::string& from) {
  v1::RetryJobRequest request;
  request.set_job(job);
  request.set_from(from);
  *request.mutable_submitter() = state_->submitter;
  v1::RetryJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::RetryJob, request, &response));
  return response.job();
}

absl::StatusOr<v1::Job> Api::Pause(const std::string& job) {
  v1::PauseJobRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::PauseJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::PauseJob, request, &response));
  return response.job();
}

absl::StatusOr<v1::Job> Api::Resume(const std::string& job) {
  v1::ResumeJobRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::ResumeJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::ResumeJob, request, &response));
  return response.job();
}

absl::StatusOr<std::string> Api::Delete(const std::string& job) {
  v1::DeleteJobRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::DeleteJobResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::DeleteJob, request, &response));
  return response.job_id();
}

absl::StatusOr<std::vector<v1::Job>> Api::ListJobs() {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  request.set_page_size(1000);
  while (true) {
    v1::ListJobsResponse response;
    BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::ListJobs, request, &response));
    for (v1::Job& job : *response.mutable_jobs()) jobs.push_back(std::move(job));
    if (response.next_page_token().empty()) return jobs;
    request.set_page_token(response.next_page_token());
  }
}

absl::StatusOr<std::vector<v1::Node>> Api::ListNodes() {
  v1::ListNodesResponse response;
  BATON_RETURN_IF_ERROR(
      state_->Call(&v1::Client::Stub::ListNodes, v1::ListNodesRequest(), &response));
  return std::vector<v1::Node>(response.nodes().begin(), response.nodes().end());
}

absl::StatusOr<v1::Node> Api::DrainNode(const v1::DrainNodeRequest& request) {
  v1::DrainNodeResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::DrainNode, request, &response));
  return response.node();
}

absl::StatusOr<v1::ExplainResponse> Api::Explain(const std::string& job) {
  v1::ExplainRequest request;
  request.set_job(job);
  *request.mutable_submitter() = state_->submitter;
  v1::ExplainResponse response;
  BATON_RETURN_IF_ERROR(state_->Call(&v1::Client::Stub::Explain, request, &response));
  return response;
}

absl::Status Api::Watch(const std::string& job, const std::atomic<bool>& stop,
                        const JobSeen& seen) {
  // By id from the first answer on: a name or "latest" may mean another job later.
  BATON_ASSIGN_OR_RETURN(const v1::Job first, GetJob(job));
  v1::WatchJobRequest request;
  request.set_job(first.id());
  bool wanted = true;
  bool ended = false;
  Patience patience;
  const auto call = [&]() -> absl::Status {
    if (stop.load()) return absl::CancelledError("interrupted");
    const auto begin = std::chrono::steady_clock::now();
    bool came = false;
    grpc::ClientContext context;
    auto reader = state_->stub->WatchJob(&context, request);
    const StopWatch watch(context, stop);
    v1::WatchJobResponse response;
    while (wanted && reader->Read(&response)) {
      came = true;
      ended = HasEnded(response.job());
      wanted = seen(response);
    }
    if (!wanted) context.TryCancel();
    const absl::Status end = rpc::FromGrpc(reader->Finish());
    patience.AfterStream(begin, came);
    if (!wanted || ended) return absl::OkStatus();
    // A server that shuts down in good order ends its streams with OK or Cancelled.
    if (end.ok() || (absl::IsCancelled(end) && !stop.load())) {
      return absl::UnavailableError("the stream ended early");
    }
    return end;
  };
  const absl::Status status = Patiently(call, patience);
  if (stop.load() && wanted && !ended) return absl::CancelledError("interrupted");
  return Explained(status, state_->address);
}

absl::Status Api::Read(const std::string& job, const ReadOptions& options,
                       const std::atomic<bool>& stop, const DataSeen& data) {
  BATON_ASSIGN_OR_RETURN(const v1::Job first, GetJob(job));
  std::map<std::pair<int, int>, int64_t> ends;  // by attempt and rank
  Patience patience;
  const auto call = [&]() -> absl::Status {
    if (stop.load()) return absl::CancelledError("interrupted");
    v1::ReadStreamsRequest request;
    request.set_job(first.id());
    request.set_kind(options.kind);
    request.set_follow(options.follow);
    for (const auto& [stream, end] : ends) {
      v1::StreamPosition* from = request.add_from();
      from->set_attempt(stream.first);
      from->set_rank(stream.second);
      from->set_offset(end);
    }
    const auto begin = std::chrono::steady_clock::now();
    bool came = false;
    grpc::ClientContext context;
    auto reader = state_->stub->ReadStreams(&context, request);
    const StopWatch watch(context, stop);
    v1::ReadStreamsResponse response;
    while (reader->Read(&response)) {
      came = true;
      ends[{response.attempt(), response.rank()}] =
          response.offset() + static_cast<int64_t>(response.data().size());
      data(response);
    }
    const absl::Status end = rpc::FromGrpc(reader->Finish());
    patience.AfterStream(begin, came);
    if (absl::IsCancelled(end) && !stop.load()) {
      return absl::UnavailableError("the stream ended early");
    }
    return end;
  };
  const absl::Status status = Patiently(call, patience);
  if (stop.load()) return absl::CancelledError("interrupted");
  return Explained(status, state_->address);
}

absl::Status Api::ExportLog(uint64_t segment,
                            const std::function<void(const std::string&)>& piece) {
  grpc::ClientContext context;
  v1::ExportLogRequest request;
  request.set_segment(segment);
  auto reader = state_->stub->ExportLog(&context, request);
  v1::ExportLogResponse response;
  while (reader->Read(&response)) piece(response.records());
  return Explained(rpc::FromGrpc(reader->Finish()), state_->address);
}

v1::Submitter ThisSubmitter() {
  v1::Submitter submitter;
  const passwd* user = ::getpwuid(::geteuid());
  submitter.set_owner(user != nullptr ? user->pw_name : absl::StrCat(::geteuid()));
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  std::error_code ignored;
  submitter.set_folder(absl::StrCat(host, ":", std::filesystem::current_path(ignored).string()));
  return submitter;
}

}  // namespace baton::client
