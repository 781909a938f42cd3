#include "scheduler/edge/sweep_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "baton/v1/sweep.grpc.pb.h"
#include "common/rpc/status.h"

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
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Submit(*request, Answer(reactor, response));
    return reactor;
  }

  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* context,
                                     const v1::GetSweepRequest* request,
                                     v1::GetSweepResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Get(*request, Answer(reactor, response));
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
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    calls_.Stop(*request, Answer(reactor, response));
    return reactor;
  }

 private:
  SweepCalls& calls_;
};

SweepService::SweepService(SweepCalls& calls) : impl_(std::make_unique<Impl>(calls)) {}

SweepService::~SweepService() = default;

grpc::Service* SweepService::service() { return impl_.get(); }

}  // namespace baton::edge
