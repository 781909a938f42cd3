// proto Worker: the stream that each worker dials.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "scheduler/edge/parts.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class WorkerService {
 public:
  // `parts` outlives the service.
  explicit WorkerService(const Parts& parts);
  ~WorkerService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
