// Connections to a scheduler.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls/key.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace baton::rpc {

// Larger messages are refused by both sides: a manifest has at most 16 MiB.
inline constexpr int kMessageBytesMax = 32 << 20;

struct ChannelOptions {
  int64_t reconnect_ms_min = 50;     // first pause before a new try
  int64_t reconnect_ms_max = 1'000;  // longest pause
  int64_t keepalive_ms = 10'000;  // a silent peer is probed, and gone when it stays silent as long
  // Own TCP connection, not one shared with other channels of this process to the same address.
  bool own_connection = false;
  // TLS with these; none: not encrypted, which only loopback may be.
  std::optional<tls::Identity> identity = {};
  std::string token = {};  // goes with each call, over TLS only
};

// A lazy channel: it connects at the first call. InvalidArgument for a malformed address,
// FailedPrecondition for one that may not be dialled without TLS.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const std::string& address,
                                                    const ChannelOptions& options = {});

}  // namespace baton::rpc
