// proto Tunnel: joins a person's stream with that of the worker where the task runs. Each tunnel
// holds two of gRPC's threads, and how fast bytes come is how fast the other side takes them.
#pragma once

#include <memory>

#include "scheduler/edge/parts.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class TunnelService {
 public:
  // `parts` outlives the service.
  explicit TunnelService(const Parts& parts);
  ~TunnelService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
