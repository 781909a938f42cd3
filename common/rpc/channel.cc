#include "common/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/rpc/address.h"
#include "common/status.h"

namespace baton::rpc {
namespace {

constexpr int kConnectMsMax = 5'000;

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const ChannelOptions& options) {
  if (!options.identity) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = options.identity->authority_pem;
  ssl.pem_cert_chain = options.identity->certificate_pem;
  ssl.pem_private_key = options.identity->key_pem;
  auto channel = grpc::SslCredentials(ssl);
  if (options.token.empty()) return channel;
  return grpc::CompositeChannelCredentials(channel, grpc::AccessTokenCredentials(options.token));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const std::string& address,
                                                    const ChannelOptions& options) {
  BATON_ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  if (parsed.port == 0) {
    return absl::InvalidArgumentError("address \"" + address + "\": nobody listens on port 0");
  }
  if (!options.identity) BATON_RETURN_IF_ERROR(CheckMayBeInsecure(parsed));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   static_cast<int>(options.reconnect_ms_min));
  // Despite its name this bounds the attempt, not the pause: a busy server needs time to answer.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMsMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(options.reconnect_ms_max));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive_ms));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(options.keepalive_ms));
  // A proxy from the environment must not see, or break, calls to this machine.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (options.own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (options.identity) arguments.SetSslTargetNameOverride(tls::kSchedulerName);
  return grpc::CreateCustomChannel(parsed.ToString(), CredentialsOf(options), arguments);
}

}  // namespace baton::rpc
