// The flags of baton-worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/daemon.h"
#include "worker/notice/cloud.h"

namespace CLI {
class App;
}

namespace baton::worker {

struct Flags {
  std::string scheduler;
  std::string dir;
  std::string name;
  double cpus = 0;     // 0: all
  std::string memory;  // "8GiB"; empty: all
  std::string capacity = "on-demand";
  double price = 0;            // USD per hour
  double on_demand_price = 0;  // USD per hour; 0: as price
  bool example_prices = false;
  std::string provider;
  std::string region;
  std::string zone;
  std::string instance_type;
  std::vector<std::string> labels;  // "key=value"
  std::vector<std::string> data_addresses;
  std::string notice_file;
  std::vector<std::string> metadata_urls;  // "aws=URL", or "none"
  double notice_grace_s = 25;
  double detached_max_s = 3600;
  std::string spool_max = "1GiB";
  std::string cache_max = "10GiB";
  std::string environments;
  std::string environments_max = "20GiB";
};

// Of a worker that is given no --dir.
std::string DefaultFolder();

void AddFlags(CLI::App& app, Flags& flags);

// InvalidArgument names the flag and says what it takes.
absl::StatusOr<DaemonOptions> ToOptions(const Flags& flags);

// The cloud's notices that --metadata-url wants; nullopt: none. InvalidArgument names the flag.
absl::StatusOr<std::optional<CloudOptions>> ToCloud(const Flags& flags);

// "512", "100MB", "1.5GiB" in bytes.
absl::StatusOr<int64_t> ParseBytes(const std::string& text);

}  // namespace baton::worker
