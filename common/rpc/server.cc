#include "common/rpc/server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/strip.h"
#include "common/rpc/address.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton::rpc {
namespace {

// Bytes that requests being received may hold together; beyond it the transport slows senders.
constexpr size_t kReceiveBytesMax = 256u << 20;
constexpr int kStreamsPerConnectionMax = 1'000;
constexpr int kPingIntervalMs = 5'000;
constexpr char kNameProperty[] = "baton_caller";
constexpr char kBearer[] = "Bearer ";

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// Asks the guard, before a call reaches its service.
class Gate : public grpc::AuthMetadataProcessor {
 public:
  explicit Gate(const Guard& guard) : guard_(guard) {}

  // `admit` does not wait.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* /*response*/) override {
    Caller caller;
    const auto path = metadata.find(":path");
    if (path != metadata.end()) caller.method = View(path->second);
    const auto bearer = metadata.find("authorization");
    if (bearer != metadata.end()) {
      caller.token = View(bearer->second);
      absl::ConsumePrefix(&caller.token, kBearer);
      consumed->insert(
          {"authorization", std::string(bearer->second.data(), bearer->second.size())});
    }
    const auto names = context->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
    if (!names.empty()) caller.certificate = View(names.front());
    std::string name;
    const absl::Status admitted = guard_.admit(caller, &name);
    if (admitted.ok()) context->AddProperty(kNameProperty, name);
    return ToGrpc(admitted);
  }

 private:
  const Guard guard_;
};

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const std::optional<Guard>& guard) {
  if (!guard) return grpc::InsecureServerCredentials();
  // A person has no certificate, and a worker's first call has none yet.
  grpc::SslServerCredentialsOptions ssl(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_root_certs = guard->identity.authority_pem;
  ssl.pem_key_cert_pairs.push_back({guard->identity.key_pem, guard->identity.certificate_pem});
  auto credentials = grpc::SslServerCredentials(ssl);
  credentials->SetAuthMetadataProcessor(std::make_shared<Gate>(*guard));
  return credentials;
}

}  // namespace

struct Server::State {
  std::unique_ptr<grpc::Server> server;
};

Server::Server(std::unique_ptr<State> state, std::string address)
    : state_(std::move(state)), address_(std::move(address)) {}

Server::~Server() { Shutdown(0); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& address,
                                                      const std::vector<grpc::Service*>& services,
                                                      const std::optional<Guard>& guard) {
  BATON_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  if (!guard) BATON_RETURN_IF_ERROR(CheckMayBeInsecure(parsed));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(parsed.ToString(), CredentialsOf(guard), &port);
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

std::string CallerName(const grpc::AuthContext& context) {
  const auto names = context.FindPropertyValues(kNameProperty);
  return names.empty() ? "" : std::string(names.front().data(), names.front().size());
}

void Server::Shutdown(int64_t grace_ms) {
  if (state_ == nullptr) return;
  state_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
  state_->server->Wait();
  state_.reset();
}

}  // namespace baton::rpc
