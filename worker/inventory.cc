#include "worker/inventory.h"

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/nvml.h"

namespace baton::worker {
namespace {

// First line without blanks; empty when there is none.
std::string Line(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return "";
  return std::string(absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))));
}

int64_t Number(const std::string& path) {
  int64_t value = 0;
  return absl::SimpleAtoi(Line(path), &value) ? value : 0;
}

// The cgroup's quota in thousandths of a CPU; 0: none.
int64_t QuotaMilli() {
  const std::vector<std::string> v2 = absl::StrSplit(Line("/sys/fs/cgroup/cpu.max"), ' ');
  int64_t quota = 0;
  int64_t period = 0;
  if (v2.size() == 2 && absl::SimpleAtoi(v2[0], &quota) && absl::SimpleAtoi(v2[1], &period) &&
      period > 0) {
    return quota * 1000 / period;
  }
  quota = Number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  period = Number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return quota > 0 && period > 0 ? quota * 1000 / period : 0;
}

int32_t CpusMilli() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int64_t cpus =
      sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : get_nprocs();
  const int64_t quota = QuotaMilli();
  const int64_t milli = quota > 0 ? std::min(cpus * 1000, quota) : cpus * 1000;
  return static_cast<int32_t>(std::max<int64_t>(milli, 100));
}

int64_t MemoryBytes() {
  struct sysinfo info {};
  int64_t bytes = sysinfo(&info) == 0 ? static_cast<int64_t>(info.totalram) * info.mem_unit : 0;
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = Number(path);
    if (limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

std::string CpuKind() {
#if defined(__x86_64__)
  const char* const isa = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                              ? "avx512"
                          : __builtin_cpu_supports("avx2") ? "avx2"
                          : __builtin_cpu_supports("avx")  ? "avx"
                                                           : "sse";
  return absl::StrCat("cpu:x86-64:", isa);
#else
  utsname name{};
  uname(&name);
  return absl::StrCat("cpu:", name.machine);
#endif
}

std::string HostId() {
  char network[128] = {};
  const ssize_t n = readlink("/proc/self/ns/net", network, sizeof(network) - 1);
  return absl::StrCat(Line("/proc/sys/kernel/random/boot_id"), "/", n > 0 ? network : "");
}

// None without a driver; a card that does not answer is left out, and said.
std::vector<Gpu> Gpus() {
  std::vector<Gpu> gpus;
  const auto nvml = Nvml::Open();
  if (!nvml.ok()) {
    if (!absl::IsNotFound(nvml.status())) LogWarning(nvml.status().message());
    return gpus;
  }
  for (int i = 0; i < (*nvml)->count(); ++i) {
    const auto facts = (*nvml)->Facts(i);
    if (facts.ok()) {
      gpus.push_back({i, GpuType(facts->name), facts->memory_bytes});
    } else {
      LogWarning(facts.status().message());
    }
  }
  return gpus;
}

}  // namespace

std::string GpuType(const std::string& product) {
  std::string type = absl::AsciiStrToLower(product);
  for (const char* brand : {"nvidia ", "tesla ", "geforce "}) {
    if (absl::StartsWith(type, brand)) type.erase(0, std::string(brand).size());
  }
  for (char& c : type) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '-';
  }
  return type;
}

Inventory TakeInventory() {
  Inventory inventory;
  inventory.cpus_milli = CpusMilli();
  inventory.memory_bytes = MemoryBytes();
  inventory.gpus = Gpus();
  inventory.device_kind = CpuKind();
  inventory.host_id = HostId();
  return inventory;
}

int64_t FreeDiskBytes(const std::string& folder) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return 0;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace baton::worker
