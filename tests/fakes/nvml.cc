// A libnvidia-ml.so.1 that tells what the file BATON_FAKE_NVML says, read anew with each call: one
// `name = value` a line. `cards` and `init` (an error) are of the library; of card N are
// N.name, N.memory_total, N.memory_used, N.utilization, N.power, N.power_limit, N.celsius,
// N.capability, N.generation, N.generation_max, N.lanes, N.lanes_max, N.slowed, N.ecc, N.errors,
// and N.processes, `PID:BYTES:PER_CENT` each, with spaces between. What the file does not name is
// not supported, as on a real card.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int kOk = 0, kNotSupported = 3, kNotFound = 6, kTooSmall = 7;

std::optional<std::string> Value(const std::string& name) {
  const char* path = std::getenv("BATON_FAKE_NVML");
  std::ifstream file(path == nullptr ? "" : path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + " = ", 0) == 0) return line.substr(name.size() + 3);
  }
  return std::nullopt;
}

long long Number(const std::string& name, long long otherwise) {
  const std::optional<std::string> value = Value(name);
  return value ? std::atoll(value->c_str()) : otherwise;
}

// Handles are the cards' numbers, from 1.
std::string Of(void* device, const char* what) {
  return std::to_string(reinterpret_cast<uintptr_t>(device) - 1) + "." + what;
}

template <class Number_>
int Tell(const std::string& name, Number_* out) {
  const std::optional<std::string> value = Value(name);
  if (!value) return kNotSupported;
  *out = static_cast<Number_>(std::atoll(value->c_str()));
  return kOk;
}

int TellText(const std::optional<std::string>& value, char* out, unsigned size) {
  if (!value) return kNotSupported;
  std::snprintf(out, size, "%s", value->c_str());
  return kOk;
}

struct Process {
  unsigned pid;
  unsigned long long bytes;
  unsigned gpu_instance, compute_instance;
};
struct Sample {
  unsigned pid;
  unsigned long long unix_us;
  unsigned sm, memory, encoder, decoder;
};

std::vector<std::pair<Process, Sample>> ProcessesOf(void* device) {
  std::vector<std::pair<Process, Sample>> found;
  std::istringstream words(Value(Of(device, "processes")).value_or(""));
  for (std::string word; words >> word;) {
    Process process{};
    Sample sample{};
    std::sscanf(word.c_str(), "%u:%llu:%u", &process.pid, &process.bytes, &sample.sm);
    sample.pid = process.pid;
    found.emplace_back(process, sample);
  }
  return found;
}

// As the driver fills a list: too little room is an error that says how much is needed.
template <class Item, class Pick>
int FillList(void* device, Item* items, unsigned* count, const Pick& pick) {
  if (!Value(Of(device, "processes"))) return kNotSupported;
  const auto all = ProcessesOf(device);
  const unsigned room = std::exchange(*count, static_cast<unsigned>(all.size()));
  if (room < all.size()) return kTooSmall;
  for (size_t i = 0; i < all.size(); ++i) items[i] = pick(all[i]);
  return kOk;
}

}  // namespace

extern "C" {
int nvmlDeviceGetComputeRunningProcesses_v3(void* d, unsigned* count, Process* processes) {
  return FillList(d, processes, count, [](const auto& both) { return both.first; });
}
int nvmlDeviceGetProcessUtilization(void* d, Sample* samples, unsigned* count, unsigned long long) {
  return FillList(d, samples, count, [](const auto& both) { return both.second; });
}
int nvmlInit_v2() { return static_cast<int>(Number("init", 0)); }
int nvmlShutdown() { return kOk; }
const char* nvmlErrorString(int error) {
  return error == 9 ? "Driver Not Loaded" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  return TellText(Value("driver"), text, size);
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) { return Tell("cuda", version); }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(Number("cards", 0));
  return kOk;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= Number("cards", 0)) return kNotFound;
  *device = reinterpret_cast<void*>(static_cast<uintptr_t>(index) + 1);
  return kOk;
}
int nvmlDeviceGetName(void* d, char* text, unsigned size) {
  return TellText(Value(Of(d, "name")), text, size);
}
int nvmlDeviceGetMemoryInfo(void* d, unsigned long long* memory) {
  memory[0] = static_cast<unsigned long long>(Number(Of(d, "memory_total"), 0));
  memory[2] = static_cast<unsigned long long>(Number(Of(d, "memory_used"), 0));
  memory[1] = memory[0] - memory[2];
  return kOk;
}
int nvmlDeviceGetCudaComputeCapability(void* d, int* major, int* minor) {
  int both = 0;
  const int error = Tell(Of(d, "capability"), &both);
  *major = both / 10;
  *minor = both % 10;
  return error;
}
int nvmlDeviceGetCurrPcieLinkGeneration(void* d, unsigned* v) {
  return Tell(Of(d, "generation"), v);
}
int nvmlDeviceGetMaxPcieLinkGeneration(void* d, unsigned* v) {
  return Tell(Of(d, "generation_max"), v);
}
int nvmlDeviceGetCurrPcieLinkWidth(void* d, unsigned* v) { return Tell(Of(d, "lanes"), v); }
int nvmlDeviceGetMaxPcieLinkWidth(void* d, unsigned* v) { return Tell(Of(d, "lanes_max"), v); }
int nvmlDeviceGetPowerUsage(void* d, unsigned* v) { return Tell(Of(d, "power"), v); }
int nvmlDeviceGetEnforcedPowerLimit(void* d, unsigned* v) { return Tell(Of(d, "power_limit"), v); }
int nvmlDeviceGetTemperature(void* d, unsigned, unsigned* v) { return Tell(Of(d, "celsius"), v); }
int nvmlDeviceGetUtilizationRates(void* d, unsigned* rates) {
  return Tell(Of(d, "utilization"), &rates[0]);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* d, unsigned long long* v) {
  return Tell(Of(d, "slowed"), v);
}
int nvmlDeviceGetEccMode(void* d, unsigned* current, unsigned* pending) {
  *pending = 0;
  return Tell(Of(d, "ecc"), current);
}
int nvmlDeviceGetTotalEccErrors(void* d, int, int, unsigned long long* v) {
  return Tell(Of(d, "errors"), v);
}
}
