#include "common/nvml.h"

#include <dlfcn.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton {
namespace {

// The parts of nvml.h that are asked here; its binary interface does not change. Its structs are as
// many numbers in a row.
using Memory = std::array<unsigned long long, 3>;
constexpr size_t kTotal = 0, kUsed = 2;
using Utilization = std::array<unsigned, 2>;  // per cent, of the card first
struct ProcessInfo {                          // nvmlProcessInfo_t of version 2 and 3
  unsigned pid;
  unsigned long long used_bytes;
  unsigned gpu_instance, compute_instance;
};
constexpr unsigned long long kNotAvailable = ~0ULL;
struct ProcessSample {  // nvmlProcessUtilizationSample_t
  unsigned pid;
  unsigned long long unix_us;
  unsigned sm, memory, encoder, decoder;  // per cent
};
constexpr int kTooSmall = 7;  // NVML_ERROR_INSUFFICIENT_SIZE
constexpr unsigned kTemperatureOfGpu = 0;
constexpr int kUncorrected = 1;   // NVML_MEMORY_ERROR_TYPE_UNCORRECTED
constexpr int kSinceLoading = 0;  // NVML_VOLATILE_ECC

struct Slowdown {
  unsigned long long bit;
  const char* words;
};
constexpr std::array<Slowdown, 6> kSlowdowns = {{
    {0x4, "its power limit"},
    {0x8, "the hardware: too hot, or too little power"},
    {0x10, "the slowest card of its group (sync boost)"},
    {0x20, "its temperature (the driver slows it down)"},
    {0x40, "its temperature (the hardware slows it down)"},
    {0x80, "the power supply (power brake)"},
}};

}  // namespace

struct Nvml::Calls {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_text)(int) = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*cuda_version)(int*) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, void**) = nullptr;
  int (*name)(void*, char*, unsigned) = nullptr;
  int (*uuid)(void*, char*, unsigned) = nullptr;
  int (*memory)(void*, unsigned long long*) = nullptr;
  int (*capability)(void*, int*, int*) = nullptr;
  int (*generation)(void*, unsigned*) = nullptr;
  int (*generation_max)(void*, unsigned*) = nullptr;
  int (*lanes)(void*, unsigned*) = nullptr;
  int (*lanes_max)(void*, unsigned*) = nullptr;
  int (*power)(void*, unsigned*) = nullptr;        // milliwatts
  int (*power_limit)(void*, unsigned*) = nullptr;  // likewise
  int (*temperature)(void*, unsigned, unsigned*) = nullptr;
  int (*utilization)(void*, unsigned*) = nullptr;
  int (*slowed)(void*, unsigned long long*) = nullptr;
  int (*ecc)(void*, unsigned*, unsigned*) = nullptr;
  int (*ecc_errors)(void*, int, int, unsigned long long*) = nullptr;
  int (*processes)(void*, unsigned*, ProcessInfo*) = nullptr;
  int (*samples)(void*, ProcessSample*, unsigned*, unsigned long long) = nullptr;

  template <class Function>
  void Find(const char* symbol, Function* function) const {
    *function = reinterpret_cast<Function>(dlsym(library, symbol));
  }

  void FindAll() {
    Find("nvmlInit_v2", &init);
    Find("nvmlShutdown", &shutdown);
    Find("nvmlErrorString", &error_text);
    Find("nvmlSystemGetDriverVersion", &driver_version);
    Find("nvmlSystemGetCudaDriverVersion_v2", &cuda_version);
    Find("nvmlDeviceGetCount_v2", &count);
    Find("nvmlDeviceGetHandleByIndex_v2", &device);
    Find("nvmlDeviceGetName", &name);
    Find("nvmlDeviceGetUUID", &uuid);
    Find("nvmlDeviceGetMemoryInfo", &memory);
    Find("nvmlDeviceGetCudaComputeCapability", &capability);
    Find("nvmlDeviceGetCurrPcieLinkGeneration", &generation);
    Find("nvmlDeviceGetMaxPcieLinkGeneration", &generation_max);
    Find("nvmlDeviceGetCurrPcieLinkWidth", &lanes);
    Find("nvmlDeviceGetMaxPcieLinkWidth", &lanes_max);
    Find("nvmlDeviceGetPowerUsage", &power);
    Find("nvmlDeviceGetEnforcedPowerLimit", &power_limit);
    Find("nvmlDeviceGetTemperature", &temperature);
    Find("nvmlDeviceGetUtilizationRates", &utilization);
    Find("nvmlDeviceGetCurrentClocksThrottleReasons", &slowed);
    Find("nvmlDeviceGetEccMode", &ecc);
    Find("nvmlDeviceGetTotalEccErrors", &ecc_errors);
    Find("nvmlDeviceGetComputeRunningProcesses_v3", &processes);
    if (processes == nullptr) Find("nvmlDeviceGetComputeRunningProcesses_v2", &processes);
    Find("nvmlDeviceGetProcessUtilization", &samples);
  }

  // Without these it is no NVML.
  bool Usable() const {
    return init != nullptr && shutdown != nullptr && count != nullptr && device != nullptr &&
           name != nullptr && memory != nullptr;
  }

  std::string ErrorText(int error) const {
    const char* text = error_text == nullptr ? nullptr : error_text(error);
    return text == nullptr ? absl::StrCat("error ", error) : text;
  }
};

namespace {

// What a call tells of a card; nothing where the driver lacks it or the card does not say.
template <class Call, class... Before>
std::optional<unsigned> Ask(Call call, Before... before) {
  unsigned value = 0;
  if (call == nullptr || call(before..., &value) != 0) return std::nullopt;
  return value;
}

template <class Value>
std::optional<Value> As(std::optional<unsigned> value, Value unit) {
  if (!value) return std::nullopt;
  return static_cast<Value>(*value) / unit;
}

}  // namespace

Nvml::Nvml(std::unique_ptr<Calls> calls) : calls_(std::move(calls)) {}

Nvml::~Nvml() {
  calls_->shutdown();
  dlclose(calls_->library);
}

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::Open(const std::string& library) {
  auto calls = std::make_unique<Calls>();
  calls->library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (calls->library == nullptr) {
    return absl::NotFoundError(absl::StrCat("no NVIDIA driver (", library, ") on this machine"));
  }
  calls->FindAll();
  std::string fault;
  if (!calls->Usable()) {
    fault = absl::StrCat(library, " is not NVIDIA's management library");
  } else if (const int error = calls->init(); error != 0) {
    fault = absl::StrCat("the NVIDIA driver does not start: ", calls->ErrorText(error),
                         "; `nvidia-smi` says more");
  }
  if (!fault.empty()) {
    dlclose(calls->library);
    return absl::FailedPreconditionError(fault);
  }
  return std::unique_ptr<Nvml>(new Nvml(std::move(calls)));
}

std::string Nvml::driver_version() const {
  std::array<char, 96> text{};
  const bool told = calls_->driver_version != nullptr &&
                    calls_->driver_version(text.data(), text.size() - 1) == 0;
  return told ? text.data() : "";
}

std::string Nvml::cuda_version() const {
  int version = 0;
  if (calls_->cuda_version == nullptr || calls_->cuda_version(&version) != 0) return "";
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

int Nvml::count() const {
  unsigned count = 0;
  return calls_->count(&count) == 0 ? static_cast<int>(count) : 0;
}

absl::StatusOr<void*> Nvml::DeviceOf(int index) const {
  void* device = nullptr;
  const int error = calls_->device(static_cast<unsigned>(index), &device);
  if (error == 0) return device;
  return absl::FailedPreconditionError(
      absl::StrCat("card ", index, " does not answer: ", calls_->ErrorText(error),
                   "; `nvidia-smi` says more, often only a restart of the machine helps"));
}

absl::StatusOr<GpuFacts> Nvml::Facts(int index) const {
  BATON_ASSIGN_OR_RETURN(void* device, DeviceOf(index));
  GpuFacts facts;
  facts.index = index;
  std::array<char, 128> text{};
  int error = calls_->name(device, text.data(), text.size() - 1);
  facts.name = text.data();
  Memory memory{};
  if (error == 0) error = calls_->memory(device, memory.data());
  if (error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("card ", index, " says nothing of itself: ", calls_->ErrorText(error)));
  }
  facts.memory_bytes = static_cast<int64_t>(memory[kTotal]);
  text.fill('\0');
  if (calls_->uuid != nullptr && calls_->uuid(device, text.data(), text.size() - 1) == 0) {
    facts.uuid = text.data();
  }
  int major = 0, minor = 0;
  if (calls_->capability != nullptr && calls_->capability(device, &major, &minor) == 0) {
    facts.capability = major * 10 + minor;
  }
  facts.pcie_generation = As<int>(Ask(calls_->generation, device), 1);
  facts.pcie_generation_max = As<int>(Ask(calls_->generation_max, device), 1);
  facts.pcie_lanes = As<int>(Ask(calls_->lanes, device), 1);
  facts.pcie_lanes_max = As<int>(Ask(calls_->lanes_max, device), 1);
  facts.power_limit_watts = As<double>(Ask(calls_->power_limit, device), 1000);
  unsigned current = 0, pending = 0;
  if (calls_->ecc != nullptr && calls_->ecc(device, &current, &pending) == 0) {
    facts.ecc = current != 0;
  }
  unsigned long long errors = 0;
  if (calls_->ecc_errors != nullptr &&
      calls_->ecc_errors(device, kUncorrected, kSinceLoading, &errors) == 0) {
    facts.uncorrected_errors = static_cast<int64_t>(errors);
  }
  return facts;
}

absl::StatusOr<GpuUse> Nvml::Use(int index) const {
  BATON_ASSIGN_OR_RETURN(void* device, DeviceOf(index));
  GpuUse use;
  Utilization utilization{};
  if (calls_->utilization != nullptr && calls_->utilization(device, utilization.data()) == 0) {
    use.utilization = utilization[0] / 100.0;
  }
  Memory memory{};
  if (calls_->memory(device, memory.data()) == 0) {
    use.memory_used_bytes = static_cast<int64_t>(memory[kUsed]);
    use.memory_bytes = static_cast<int64_t>(memory[kTotal]);
  }
  use.power_watts = As<double>(Ask(calls_->power, device), 1000);
  use.celsius = As<double>(Ask(calls_->temperature, device, kTemperatureOfGpu), 1);
  unsigned long long reasons = 0;
  if (calls_->slowed != nullptr && calls_->slowed(device, &reasons) == 0) {
    for (const Slowdown& slowdown : kSlowdowns) {
      if ((reasons & slowdown.bit) != 0) use.slowed_by.emplace_back(slowdown.words);
    }
  }
  return use;
}

namespace {

// Lists grow between the question for their length and the one for them: some room is left.
constexpr unsigned kMoreProcesses = 16;

}  // namespace

absl::StatusOr<std::vector<GpuProcess>> Nvml::Processes(int index, int64_t since_unix_ms) const {
  BATON_ASSIGN_OR_RETURN(void* device, DeviceOf(index));
  if (calls_->processes == nullptr) {
    return absl::UnimplementedError("the driver does not tell who computes on a card");
  }
  unsigned count = 0;
  int error = calls_->processes(device, &count, nullptr);
  std::vector<ProcessInfo> infos(count + kMoreProcesses);
  count = static_cast<unsigned>(infos.size());
  if (error == 0 || error == kTooSmall) error = calls_->processes(device, &count, infos.data());
  if (error != 0) {
    return absl::UnimplementedError(
        absl::StrCat("card ", index, " does not tell who computes: ", calls_->ErrorText(error)));
  }
  infos.resize(count);
  const auto since_us = static_cast<unsigned long long>(since_unix_ms) * 1000;
  std::vector<ProcessSample> samples;
  if (calls_->samples != nullptr) {
    unsigned room = 0;
    calls_->samples(device, nullptr, &room, since_us);
    samples.resize(room + kMoreProcesses);
    room = static_cast<unsigned>(samples.size());
    const bool told = calls_->samples(device, samples.data(), &room, since_us) == 0;
    samples.resize(told ? room : 0);
  }
  std::vector<GpuProcess> processes;
  for (const ProcessInfo& info : infos) {
    GpuProcess process;
    process.pid = static_cast<int>(info.pid);
    if (info.used_bytes != kNotAvailable)
      process.memory_bytes = static_cast<int64_t>(info.used_bytes);
    double sum = 0;
    int told = 0;
    for (const ProcessSample& sample : samples) {
      if (sample.pid != info.pid) continue;
      sum += sample.sm / 100.0;
      ++told;
    }
    if (told > 0) process.utilization = sum / told;
    processes.push_back(process);
  }
  return processes;
}

}  // namespace baton
