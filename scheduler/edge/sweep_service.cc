#include "scheduler/edge/sweep_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "baton/v1/sweep.grpc.pb.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "scheduler/edge/owner.h"

namespace baton::edge {
namespace {

// Answers a call from whatever thread knows the answer.
template <typename Response>
Done<Response> Answer(grpc::ServerUnaryReactor* reactor, Response* to) {
  return [reactor, to](const absl::Status& status, Response response) {
    if (status.ok()) *to = std::move(response);
    reactor->Finish(rpc::ToGrpc(status));
  };
}

}  // namespace

class SweepService::Impl : public v1::Sweeps::CallbackService {
 public:
  explicit Impl(SweepCalls& calls) : calls_(calls) {}

  grpc::ServerUnaryReactor* SubmitSweep(grpc::CallbackServerContext* context,
                                        const v1::SubmitSweepRequest* request,
                                        v1::SubmitSweepResponse* response) override {
    v1::SubmitSweepRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Submit(OwnedBy(rpc::CallerName(*context->auth_context()), *request, &mine),
                  Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* context,
                                     const v1::GetSweepRequest* request,
                                     v1::GetSweepResponse* response) override {
    v1::GetSweepRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Get(OwnedBy(rpc::CallerName(*context->auth_context()), *request, &mine),
               Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* ListSweeps(grpc::CallbackServerContext* context,
                                       const v1::ListSweepsRequest*,
                                       v1::ListSweepsResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.List(Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* StopSweep(grpc::CallbackServerContext* context,
                                      const v1::StopSweepRequest* request,
                                      v1::StopSweepResponse* response) override {
    v1::StopSweepRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Stop(OwnedBy(rpc::CallerName(*context->auth_context()), *request, &mine),
                Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* DeleteSweep(grpc::CallbackServerContext* context,
                                        const v1::DeleteSweepRequest* request,
                                        v1::DeleteSweepResponse* response) override {
    v1::DeleteSweepRequest mine;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Delete(OwnedBy(rpc::CallerName(*context->auth_context()), *request, &mine),
                  Answer(reactor, response));
    return reactor;
  }

 private:
  SweepCalls& calls_;
};

SweepService::SweepService(SweepCalls& calls) : impl_(std::make_unique<Impl>(calls)) {}

SweepService::~SweepService() = default;

grpc::Service* SweepService::service() { return impl_.get(); }

}  // namespace baton::edge
