// What this node has and is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::worker {

struct Gpu {
  int32_t index = 0;
  std::string type;  // e.g. "h200"
  int64_t memory_bytes = 0;
};

struct Inventory {
  int32_t cpus_milli = 0;    // that this process may use: affinity and cgroup
  int64_t memory_bytes = 0;  // likewise
  std::vector<Gpu> gpus;     // none without a driver
  std::string device_kind;   // "cpu:x86-64:avx512": what a run's bits depend on
  std::string host_id;       // the same for workers that reach each other by loopback
};

Inventory TakeInventory();

int64_t FreeDiskBytes(const std::string& folder);

// "NVIDIA H200 NVL" -> "h200-nvl".
std::string GpuType(const std::string& product);

}  // namespace baton::worker
