// proto Environments over the book of prepared environments. Runs on gRPC's own threads.
#pragma once

#include <memory>

#include "scheduler/edge/environment_book.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class EnvironmentService {
 public:
  // `book` outlives the service.
  explicit EnvironmentService(EnvironmentBook& book);
  ~EnvironmentService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
