// proto Client: unary calls by the callback API (client_calls.h), and the streams that follow jobs.
#pragma once

#include <memory>

#include "scheduler/edge/client_calls.h"
#include "scheduler/edge/parts.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class ClientService {
 public:
  // Both outlive the service.
  ClientService(const Parts& parts, ClientCalls& calls);
  ~ClientService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
