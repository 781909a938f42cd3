#include "client/tunnel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <mutex>
#include <utility>

#include "baton/v1/tunnel.grpc.pb.h"
#include "common/rpc/status.h"

namespace baton::client {

struct Tunnel::State {
  std::unique_ptr<v1::Tunnel::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TunnelFrame, v1::TunnelFrame>> stream;
  std::mutex mutex;  // of writes
};

Tunnel::Tunnel(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tunnel::~Tunnel() = default;

std::unique_ptr<Tunnel> Tunnel::Open(Api& api, const std::string& job, int rank,
                                     const v1::TunnelEnd& to) {
  auto state = std::make_unique<State>();
  state->stub = v1::Tunnel::NewStub(api.channel());
  state->stream = state->stub->Open(&state->context);
  std::unique_ptr<Tunnel> tunnel(new Tunnel(std::move(state)));
  v1::TunnelFrame first;
  first.mutable_open()->set_job(job);
  *first.mutable_open()->mutable_submitter() = ThisSubmitter();
  first.mutable_open()->set_rank(rank);
  *first.mutable_open()->mutable_to() = to;
  tunnel->Write(first);
  return tunnel;
}

bool Tunnel::Write(const v1::TunnelFrame& frame) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->stream->Write(frame);
}

bool Tunnel::Read(v1::TunnelFrame* frame) { return state_->stream->Read(frame); }

void Tunnel::Hang() { state_->context.TryCancel(); }

absl::Status Tunnel::Finish() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stream->WritesDone();
  }
  v1::TunnelFrame rest;
  while (state_->stream->Read(&rest)) {
  }
  return rpc::FromGrpc(state_->stream->Finish());
}

}  // namespace baton::client
