// A game day: jobs run calm, then again and again while faults fall on their nodes, and must leave
// the same bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::client::chaos {

struct GameOptions {
  uint64_t seed = 1;
  int faults = 20;
  std::vector<std::vector<std::string>> entries;  // what `baton train` takes; empty: the game's own
  std::vector<std::string> capacities;            // of the nodes
  double cpus = 1;                                // of each
  std::string folder;                             // absolute
  int jobs_at_once = 2;
  int64_t end_limit_ms = 600'000;  // after the last fault, for all jobs to end
};

struct PlayedFault {
  int64_t at_ms = 0;  // since the first job of the storm
  std::string kind;
  std::string target;
};

struct PlayedJob {
  std::string id;
  std::string name;
  std::string state;
  std::string sha256;       // of what it left; empty: nothing
  std::string calm_sha256;  // of the calm run
};

struct GameResult {
  std::vector<PlayedFault> faults;
  std::vector<PlayedJob> jobs;
  std::vector<std::string> leaks;  // what is left of the cluster after its end
  // All jobs have ended well with the calm bytes, and nothing leaks.
  bool good() const;
};

// Cancelled once `stop` is set; the cluster is ended in any case.
absl::StatusOr<GameResult> Play(const GameOptions& options, const std::atomic<bool>& stop,
                                const std::function<void(const std::string&)>& say);

}  // namespace baton::client::chaos
