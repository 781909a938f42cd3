// A gRPC server with the limits that all of Baton's servers share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::rpc {

class Server {
 public:
  // Listens on `address` ("host:port", port 0: any free one) and serves `services`, which outlive
  // the server. InvalidArgument: a malformed address; FailedPrecondition: not loopback, and no TLS;
  // Unavailable: the port is taken (it is never shared with another process).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& address,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();

  // "host:port" with the real port.
  const std::string& address() const { return address_; }

  // Refuses new calls and gives running ones `grace_ms` before they are cancelled; returns when
  // all handlers are done.
  void Shutdown(int64_t grace_ms);

 private:
  struct State;
  Server(std::unique_ptr<State> state, std::string address);
  std::unique_ptr<State> state_;
  std::string address_;
};

}  // namespace baton::rpc
