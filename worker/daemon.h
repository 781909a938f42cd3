// The worker as a whole: carries events to the agent and its effects out. The only place where the
// parts (link, task, checkpoint, notice) meet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/tls/key.h"
#include "worker/core/agent.h"
#include "worker/inventory.h"
#include "worker/node_folder.h"
#include "worker/notice/notice.h"

namespace baton::worker {

// What the worker says of itself beside its inventory.
struct NodeFacts {
  std::string name;
  bool spot = false;
  std::string provider;
  std::string region;
  std::string zone;
  std::string instance_type;
  int64_t price_usd_micro_per_hour = 0;
  int64_t on_demand_usd_micro_per_hour = 0;
  bool prices_are_examples = false;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::string> data_addresses;  // at least one
};

struct DaemonOptions {
  std::string scheduler;                  // "host:port"
  std::optional<tls::Identity> identity;  // none: without TLS
  NodeFacts facts;
  Inventory inventory;
  AgentOptions agent;
  std::string keeper;        // program
  std::string step_program;  // baton-step
  std::string trainer;       // program
  int64_t spool_bytes_max = int64_t{1} << 30;
  int64_t cache_bytes_max = int64_t{10} << 30;
  std::string environments;  // folder of software environments; empty: in the worker's own
  int64_t environments_bytes_max = int64_t{20} << 30;
};

// Serves until it is told to end and has drained. Returns early, with words, when it can't start.
absl::Status RunDaemon(const DaemonOptions& options, const NodeFolder& folder,
                       std::vector<std::unique_ptr<NoticeSource>> notices);

}  // namespace baton::worker
