// A group of processes over TCP, on Gloo's unbound buffers; none of Gloo's collectives is used,
// since the order of their sums depends on the number of ranks.
//
// Gloo writes without MSG_NOSIGNAL: a program that uses this group must ignore SIGPIPE, or it dies
// when a peer does.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/comm/group.h"
#include "trainer/comm/rendezvous.h"

namespace baton::trainer {

struct GlooOptions {
  int rank = 0;
  int world_size = 1;
  std::string address;  // host name or IP address of this node, by which the peers reach it
  std::chrono::milliseconds meet_timeout{60000};  // for all ranks to publish their addresses
  // For one connection of the mesh. Gloo tries several times and cannot be told to stop, so a peer
  // that died after publishing costs a multiple of this.
  std::chrono::milliseconds connect_timeout{1000};
};

// Connects all ranks with each other. ABORTED or UNAVAILABLE when a peer failed meanwhile,
// DEADLINE_EXCEEDED when one never came, CANCELLED as Rendezvous::Wait. `missing`, if given, gets
// those that did not come, where that is known.
absl::StatusOr<std::unique_ptr<Group>> FormGlooGroup(const GlooOptions& options,
                                                     Rendezvous& rendezvous,
                                                     std::vector<int>* missing = nullptr);

// Of the library, as it was built against: "0.5.0".
std::string GlooVersion();

}  // namespace baton::trainer
