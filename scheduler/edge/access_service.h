// proto Access: who a caller is, tokens, and the certificates of workers that join.
#pragma once

#include <memory>

#include "scheduler/access/entrance.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class AccessService {
 public:
  // Outlives the service; null: without TLS.
  explicit AccessService(access::Entrance* entrance);
  ~AccessService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
