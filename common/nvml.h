// NVIDIA's cards as the driver's management library knows them (NVML; docs.nvidia.com/deploy/
// nvml-api). The library comes with the driver and is loaded when it is there; no header of
// NVIDIA's is needed to build.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton {

// Of what a card or its driver does not tell there is nothing.
struct GpuFacts {
  int index = 0;  // in the order of the PCI bus, as CUDA_DEVICE_ORDER=PCI_BUS_ID counts
  std::string name;
  std::string uuid;
  int64_t memory_bytes = 0;
  std::optional<int> capability;  // of computing: 75 is 7.5, Turing
  std::optional<int> pcie_generation, pcie_generation_max;
  std::optional<int> pcie_lanes, pcie_lanes_max;
  std::optional<double> power_limit_watts;
  std::optional<bool> ecc;                    // memory errors are corrected
  std::optional<int64_t> uncorrected_errors;  // of memory, since the driver was loaded
};

struct GpuUse {
  std::optional<double> utilization;  // 0 .. 1: the share of the last second or so in which it ran
  std::optional<int64_t> memory_used_bytes;
  int64_t memory_bytes = 0;
  std::optional<double> power_watts;
  std::optional<double> celsius;
  std::vector<std::string> slowed_by;  // in words; empty: it runs as fast as it may, or idles
};

// A process that has a context on the card, by its number on the machine (the driver's view: inside
// a container's own numbering none of them is known).
struct GpuProcess {
  int pid = 0;
  std::optional<int64_t> memory_bytes;
  std::optional<double> utilization;  // 0 .. 1, its share of the card's time
};

inline constexpr char kNvmlLibrary[] = "libnvidia-ml.so.1";

// Thread-safe, as NVML is.
class Nvml {
 public:
  // `library`: as dlopen takes it. NOT_FOUND: there is no such library, so no driver;
  // FAILED_PRECONDITION: it is there and does not work, in words.
  static absl::StatusOr<std::unique_ptr<Nvml>> Open(const std::string& library = kNvmlLibrary);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::string driver_version() const;  // "580.82.07"; empty: not told
  std::string cuda_version() const;    // the newest that the driver supports, "13.0"
  int count() const;
  // `index` below count(). FAILED_PRECONDITION when the card does not answer.
  absl::StatusOr<GpuFacts> Facts(int index) const;
  absl::StatusOr<GpuUse> Use(int index) const;
  // Who computes on it; their utilization is the mean since `since_unix_ms`. UNIMPLEMENTED: the
  // driver does not tell.
  absl::StatusOr<std::vector<GpuProcess>> Processes(int index, int64_t since_unix_ms) const;

 private:
  struct Calls;
  explicit Nvml(std::unique_ptr<Calls> calls);
  absl::StatusOr<void*> DeviceOf(int index) const;
  const std::unique_ptr<Calls> calls_;
};

}  // namespace baton
