#include "scheduler/edge/client_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "baton/v1/client.grpc.pb.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "scheduler/edge/follow.h"
#include "scheduler/edge/owner.h"
#include "scheduler/store/export.h"

namespace baton::edge {
namespace {

constexpr int kExportsMax = 4;

// Answers a unary call from whatever thread knows the answer.
template <typename Response>
Done<Response> Answer(grpc::ServerUnaryReactor* reactor, Response* to) {
  return [reactor, to](const absl::Status& status, Response response) {
    if (status.ok()) *to = std::move(response);
    reactor->Finish(rpc::ToGrpc(status));
  };
}

// Writes what a follower tells, one message at a time, until its end or the client's.
template <typename Source, typename Message>
class FollowReactor : public grpc::ServerWriteReactor<Message> {
 public:
  explicit FollowReactor(std::shared_ptr<Source> source)
      : source_(std::move(source)), gate_(std::make_shared<Gate>()) {
    gate_->reactor = this;
    PullNext();
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      PullNext();
    } else {
      FinishOnce(grpc::Status::CANCELLED);
    }
  }

  void OnCancel() override { FinishOnce(grpc::Status::CANCELLED); }

  void OnDone() override {
    {
      std::lock_guard<std::mutex> lock(gate_->mutex);
      gate_->reactor = nullptr;
    }
    source_->Stop();
    delete this;
  }

 private:
  // Answers may come when the stream is gone.
  struct Gate {
    std::mutex mutex;
    FollowReactor* reactor = nullptr;  // guarded by mutex
  };

  void PullNext() {
    source_->Pull([gate = gate_](std::optional<Message> message, const absl::Status& end) {
      std::lock_guard<std::mutex> lock(gate->mutex);
      FollowReactor* reactor = gate->reactor;
      if (reactor == nullptr || reactor->finished_) return;
      if (message.has_value()) {
        reactor->message_ = *std::move(message);
        reactor->StartWrite(&reactor->message_);
      } else {
        reactor->finished_ = true;
        reactor->Finish(rpc::ToGrpc(end));
      }
    });
  }

  void FinishOnce(const grpc::Status& status) {
    std::lock_guard<std::mutex> lock(gate_->mutex);
    if (finished_) return;
    finished_ = true;
    this->Finish(status);
  }

  const std::shared_ptr<Source> source_;
  const std::shared_ptr<Gate> gate_;
  Message message_;
  bool finished_ = false;  // guarded by the gate's mutex
};

// All calls by callback, but the export: it pushes a long stream, so it gets a thread of gRPC's.
using Base = v1::Client::WithCallbackMethod_GetServer<v1::Client::WithCallbackMethod_SubmitJobs<
    v1::Client::WithCallbackMethod_CancelJob<v1::Client::WithCallbackMethod_RetryJob<
        v1::Client::WithCallbackMethod_DeleteJob<v1::Client::WithCallbackMethod_PauseJob<
            v1::Client::WithCallbackMethod_ResumeJob<v1::Client::WithCallbackMethod_GetJob<
                v1::Client::WithCallbackMethod_ListJobs<v1::Client::WithCallbackMethod_WatchJob<
                    v1::Client::WithCallbackMethod_ReadStreams<
                        v1::Client::WithCallbackMethod_ListNodes<
                            v1::Client::WithCallbackMethod_DrainNode<
                                v1::Client::WithCallbackMethod_Explain<
                                    v1::Client::Service>>>>>>>>>>>>>>;

}  // namespace

class ClientService::Impl : public Base {
 public:
  Impl(const Parts& parts, ClientCalls& calls) : parts_(parts), calls_(calls) {}

  grpc::ServerUnaryReactor* GetServer(grpc::CallbackServerContext* context,
                                      const v1::GetServerRequest*,
                                      v1::GetServerResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.GetServer(Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* SubmitJobs(grpc::CallbackServerContext* context,
                                       const v1::SubmitJobsRequest* request,
                                       v1::SubmitJobsResponse* response) override {
    v1::SubmitJobsRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.SubmitJobs(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* response) override {
    v1::CancelJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.CancelJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* RetryJob(grpc::CallbackServerContext* context,
                                     const v1::RetryJobRequest* request,
                                     v1::RetryJobResponse* response) override {
    v1::RetryJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.RetryJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context,
                                      const v1::DeleteJobRequest* request,
                                      v1::DeleteJobResponse* response) override {
    v1::DeleteJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.DeleteJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* PauseJob(grpc::CallbackServerContext* context,
                                     const v1::PauseJobRequest* request,
                                     v1::PauseJobResponse* response) override {
    v1::PauseJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.PauseJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context,
                                      const v1::ResumeJobRequest* request,
                                      v1::ResumeJobResponse* response) override {
    v1::ResumeJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.ResumeJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override {
    v1::GetJobRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.GetJob(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.ListJobs(*request, Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest*,
                                      v1::ListNodesResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.ListNodes(Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* DrainNode(grpc::CallbackServerContext* context,
                                      const v1::DrainNodeRequest* request,
                                      v1::DrainNodeResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.DrainNode(*request, Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override {
    v1::ExplainRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Explain(Mine(context, request, &mine), Answer(reactor, response));
    return reactor;
  }

  grpc::ServerWriteReactor<v1::WatchJobResponse>* WatchJob(
      grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) override {
    v1::WatchJobRequest mine;
    return new FollowReactor<JobFollower, v1::WatchJobResponse>(
        std::make_shared<JobFollower>(parts_, calls_, Mine(context, request, &mine)));
  }

  grpc::ServerWriteReactor<v1::ReadStreamsResponse>* ReadStreams(
      grpc::CallbackServerContext* context, const v1::ReadStreamsRequest* request) override {
    v1::ReadStreamsRequest mine;
    return new FollowReactor<BytesFollower, v1::ReadStreamsResponse>(
        std::make_shared<BytesFollower>(parts_, Mine(context, request, &mine)));
  }

  grpc::Status ExportLog(grpc::ServerContext*, const v1::ExportLogRequest* request,
                         grpc::ServerWriter<v1::ExportLogResponse>* writer) override {
    if (exports_.fetch_add(1) >= kExportsMax) {
      exports_.fetch_sub(1);
      return rpc::ToGrpc(
          absl::ResourceExhaustedError("several exports are under way; try again in a minute"));
    }
    const absl::Status status =
        store::ExportSegment(parts_.store, request->segment(), [writer](absl::string_view bytes) {
          v1::ExportLogResponse response;
          response.set_records(std::string(bytes));
          return writer->Write(response) ? absl::OkStatus()
                                         : absl::CancelledError("the client is gone");
        });
    exports_.fetch_sub(1);
    return rpc::ToGrpc(status);
  }

 private:
  template <typename Request>
  static const Request& Mine(grpc::CallbackServerContext* context, const Request* request,
                             Request* mine) {
    return OwnedBy(rpc::CallerName(*context->auth_context()), *request, mine);
  }

  const Parts& parts_;
  ClientCalls& calls_;
  std::atomic<int> exports_{0};
};

ClientService::ClientService(const Parts& parts, ClientCalls& calls)
    : impl_(std::make_unique<Impl>(parts, calls)) {}

ClientService::~ClientService() = default;

grpc::Service* ClientService::service() { return impl_.get(); }

}  // namespace baton::edge
