#include "common/rpc/server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "common/rpc/address.h"
#include "common/rpc/channel.h"
#include "common/status.h"

namespace baton::rpc {
namespace {

// Bytes that requests being received may hold together; beyond it the transport slows senders.
constexpr size_t kReceiveBytesMax = 256u << 20;
constexpr int kStreamsPerConnectionMax = 1'000;
constexpr int kPingIntervalMs = 5'000;

}  // namespace

struct Server::State {
  std::unique_ptr<grpc::Server> server;
};

Server::Server(std::unique_ptr<State> state, std::string address)
    : state_(std::move(state)), address_(std::move(address)) {}

Server::~Server() { Shutdown(0); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& address,
                                                      const std::vector<grpc::Service*>& services) {
  BATON_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  BATON_RETURN_IF_ERROR(CheckMayBeInsecure(parsed));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(parsed.ToString(), grpc::InsecureServerCredentials(), &port);
  // Two schedulers on one port would each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMs);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  grpc::ResourceQuota quota("server");
  quota.Resize(kReceiveBytesMax);
  builder.SetResourceQuota(quota);
  for (grpc::Service* service : services) builder.RegisterService(service);
  auto state = std::make_unique<State>();
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || port == 0) {
    return absl::UnavailableError("cannot listen on " + parsed.ToString() +
                                  ": is another program using the port? Name another one, or 0 "
                                  "for any free one");
  }
  parsed.port = port;
  return std::unique_ptr<Server>(new Server(std::move(state), parsed.ToString()));
}

void Server::Shutdown(int64_t grace_ms) {
  if (state_ == nullptr) return;
  state_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
  state_->server->Wait();
  state_.reset();
}

}  // namespace baton::rpc
