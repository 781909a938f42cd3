// A gRPC server with the limits that all of Baton's servers share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tls/key.h"

namespace grpc {
class AuthContext;
class Service;
}  // namespace grpc

namespace baton::rpc {

// Who makes a call.
struct Caller {
  absl::string_view method;       // "/baton.v1.Client/GetJob"
  absl::string_view certificate;  // the name that its certificate is for; empty: it has none
  absl::string_view token;        // empty: none
};

// TLS, and a look at each call before anything of it is served. `admit` is called on gRPC's
// threads, must not wait, and its error is the call's answer; `name` is then the caller's to all
// that serves the call (CallerName).
struct Guard {
  tls::Identity identity;
  std::function<absl::Status(const Caller& caller, std::string* name)> admit;
};

class Server {
 public:
  // Listens on `address` ("host:port", port 0: any free one) and serves `services`, which outlive
  // the server. InvalidArgument: a malformed address; FailedPrecondition: not loopback, and no
  // guard; Unavailable: the port is taken (it is never shared with another process).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& address,
                                                       const std::vector<grpc::Service*>& services,
                                                       const std::optional<Guard>& guard = {});
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

// What `admit` called the caller; empty without a guard.
std::string CallerName(const grpc::AuthContext& context);

}  // namespace baton::rpc
