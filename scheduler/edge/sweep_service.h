// proto Sweeps, by the callback API (sweep_calls.h).
#pragma once

#include <memory>

#include "scheduler/edge/sweep_calls.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class SweepService {
 public:
  // `calls` outlives the service.
  explicit SweepService(SweepCalls& calls);
  ~SweepService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
