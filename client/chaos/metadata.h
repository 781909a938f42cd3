// A cloud's metadata service on loopback, for one node: what --metadata-url of its worker names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/chaos/dialect.h"

namespace baton::client::chaos {

// Thread-safe.
class MetadataServer {
 public:
  static absl::StatusOr<std::unique_ptr<MetadataServer>> Start(Cloud cloud);
  ~MetadataServer();
  MetadataServer(const MetadataServer&) = delete;
  MetadataServer& operator=(const MetadataServer&) = delete;

  Cloud cloud() const;
  std::string url() const;  // "aws=http://127.0.0.1:PORT"

  void Announce(int64_t end_unix_ms);
  void Rebalance(int64_t since_unix_ms);
  // Neither of them any more; an AWS token of before is void.
  void Calm();

 private:
  struct State;
  explicit MetadataServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::client::chaos
