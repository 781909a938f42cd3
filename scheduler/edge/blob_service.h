// proto Blob over an artifact store. Runs on threads of its own (gRPC's synchronous pool), never on
// those that serve state, and stores a few chunks at a time.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "common/artifact/artifact.h"
#include "common/clock.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

struct BlobLimits {
  int puts_at_once = 4;
  int puts_waiting_max = 64;  // beyond it a put is refused with ResourceExhausted
  int sessions_max = 1'000;
  int chunks_per_session_max = 300'000;  // 300 GiB
  int64_t session_idle_ms = 3'600'000;
};

class BlobService {
 public:
  // `store` and `clock` outlive the service.
  BlobService(artifact::Store& store, const Clock& clock, const BlobLimits& limits = {});
  ~BlobService();

  grpc::Service* service();

  // Chunks that a live upload session was told about: a collection spares them.
  std::set<std::string> PinnedChunks();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
