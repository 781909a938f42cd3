#include "trainer/doctor/doctor.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "trainer/backend/plugin.h"
#include "trainer/comm/gloo.h"
#include "trainer/device.h"
#include "trainer/doctor/speed.h"
#include "trainer/isa.h"
#include "trainer/job.h"
#include "trainer/threads.h"

namespace baton::trainer {
namespace {

constexpr int kCapabilityMin = 75;       // Turing: CUDA 13 knows no older one
constexpr double kLossTolerance = 1e-3;  // relative, of the first batch between devices
constexpr char kDriverCommand[] =
    "apt-get install cuda-drivers  (from NVIDIA's repository, 580 or newer), then restart";

std::string CpuModel() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/cpuinfo");
  for (const absl::string_view line : absl::StrSplit(text.ok() ? *text : "", '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.size() == 2 && absl::StartsWith(line, "model name")) {
      return std::string(absl::StripAsciiWhitespace(parts[1]));
    }
  }
  return "a CPU without a name";
}

// CPUs that the cgroup gives; 0: all.
double CpuQuota() {
  const auto v2 = ReadFile("/sys/fs/cgroup/cpu.max");
  const auto quota = ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period = ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  const std::string text =
      v2.ok() ? *v2 : absl::StrCat(quota.ok() ? *quota : "", " ", period.ok() ? *period : "");
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double given = 0, each = 0;
  if (words.size() < 2 || !absl::SimpleAtod(words[0], &given) ||
      !absl::SimpleAtod(words[1], &each) || given <= 0 || each <= 0) {
    return 0;
  }
  return given / each;
}

// What a library says of itself; "" where it is not there. It stays loaded.
template <class Number>
std::string LibraryVersion(const char* file, const char* symbol, Number (*read)(void*),
                           std::string (*text)(Number)) {
  void* library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  void* call = library == nullptr ? nullptr : dlsym(library, symbol);
  return call == nullptr ? "" : text(read(call));
}

std::string CudnnVersion() {
  return LibraryVersion<size_t>(
      "libcudnn.so.9", "cudnnGetVersion",
      [](void* call) { return reinterpret_cast<size_t (*)()>(call)(); },
      [](size_t v) { return absl::StrCat(v / 10000, ".", v % 10000 / 100, ".", v % 100); });
}

std::string NcclVersion() {
  return LibraryVersion<int>(
      "libnccl.so.2", "ncclGetVersion",
      [](void* call) {
        int version = 0;
        reinterpret_cast<int (*)(int*)>(call)(&version);
        return version;
      },
      [](int v) { return absl::StrCat(v / 10000, ".", v % 10000 / 100, ".", v % 100); });
}

std::string CublasVersion() {
  return LibraryVersion<size_t>(
      "libcublas.so.13", "cublasGetCudartVersion",
      [](void* call) { return reinterpret_cast<size_t (*)()>(call)(); },
      [](size_t v) { return absl::StrCat(v / 1000, ".", v % 1000 / 10); });
}

std::string VerdictOf(const GpuFacts& facts) {
  if (!facts.capability) return "the driver does not tell its compute capability";
  const std::string number =
      absl::StrCat("compute capability ", *facts.capability / 10, ".", *facts.capability % 10);
  if (*facts.capability >= kCapabilityMin) {
    return absl::StrCat(number, ": new enough for CUDA 13, can train");
  }
  return absl::StrCat(number, ": older than Turing (7.5), too old for CUDA 13; the CPU takes over");
}

class Doctor {
 public:
  explicit Doctor(const DoctorOptions& options) : options_(options) {}

  Report Run() {
    ExamineCpu();
    const bool driver = ExamineCards();
    ExamineVersions(driver);
    if (driver) TryCards();
    return std::move(report_);
  }

 private:
  void Advise(bool broken, std::string what, std::string command = "") {
    report_.advice.push_back({broken, std::move(what), std::move(command)});
  }

  void ExamineCpu() {
    CpuReport& cpu = report_.cpu;
    cpu.model = CpuModel();
    cpu.cpus = AvailableCpus();
    cpu.quota = CpuQuota();
    cpu.isa = IsaOfCpu();
    const absl::StatusOr<Device> device = OpenDevice("cpu", 0, options_.backend_folders);
    if (!device.ok()) {
      cpu.speed.fault = std::string(device.status().message());
      cpu.in_use = "nothing";
      Advise(true, absl::StrCat("the CPU's backend: ", cpu.speed.fault),
             "deploy/build.sh, or apt-get install libdnnl2 where the program was built elsewhere");
      return;
    }
    identity_ = device->backend->identity();
    cpu.in_use = IsaOfIdentity(identity_);
    cpu.speed = MeasureTraining(*device->backend, options_.seconds);
    if (!cpu.speed.fault.empty()) {
      Advise(true, absl::StrCat("the CPU computes wrongly: ", cpu.speed.fault));
    }
    if (cpu.quota > 0 && cpu.quota < cpu.cpus) {
      Advise(false, absl::StrFormat("the cgroup gives %.2g CPUs, but %d are visible: use --threads "
                                    "%.0f",
                                    cpu.quota, cpu.cpus, std::max(1.0, std::floor(cpu.quota))));
    }
  }

  // Whether there is a driver that works.
  bool ExamineCards() {
    const auto nvml = Nvml::Open(options_.nvml);
    if (!nvml.ok()) {
      report_.no_cards = std::string(nvml.status().message());
      const bool broken = !absl::IsNotFound(nvml.status());
      if (broken) Advise(true, report_.no_cards, kDriverCommand);
      if (!broken) {
        Advise(false, "there is no NVIDIA driver; a machine with a card needs one", kDriverCommand);
      }
      return false;
    }
    driver_ = (*nvml)->driver_version();
    driver_cuda_ = (*nvml)->cuda_version();
    if ((*nvml)->count() == 0) report_.no_cards = "the driver has found none";
    for (int i = 0; i < (*nvml)->count(); ++i) {
      const absl::StatusOr<GpuFacts> facts = (*nvml)->Facts(i);
      const absl::StatusOr<GpuUse> use = (*nvml)->Use(i);
      if (!facts.ok() || !use.ok()) {
        Advise(true, std::string((facts.ok() ? use.status() : facts.status()).message()));
        continue;
      }
      CardReport card{*facts, *use, VerdictOf(*facts), facts->capability >= kCapabilityMin, {}};
      AdviseOn(card);
      report_.cards.push_back(std::move(card));
    }
    return true;
  }

  void AdviseOn(const CardReport& card) {
    const std::string name = absl::StrCat("card ", card.facts.index);
    const GpuFacts& facts = card.facts;
    if (facts.pcie_lanes && facts.pcie_lanes_max && *facts.pcie_lanes < *facts.pcie_lanes_max) {
      Advise(false, absl::StrCat(name, " has ", *facts.pcie_lanes, " of ", *facts.pcie_lanes_max,
                                 " PCIe lanes: batches travel slower; another slot may have all"));
    }
    if (!card.use.slowed_by.empty()) {
      Advise(false, absl::StrCat(name, " is slowed down by ", card.use.slowed_by.front(),
                                 "; look at its cooling and `nvidia-smi -q -d PERFORMANCE`"));
    }
    if (facts.uncorrected_errors.value_or(0) > 0) {
      Advise(true,
             absl::StrCat(name, " has had ", *facts.uncorrected_errors,
                          " memory errors that could not be corrected: results are not to be "
                          "trusted"),
             absl::StrCat("nvidia-smi --gpu-reset -i ", facts.index,
                          "  (or restart; replace it "
                          "when they come back)"));
    }
  }

  void ExamineVersions(bool driver) {
    const std::vector<std::string> words = absl::StrSplit(identity_, ' ');
    const std::string onednn = words.size() > 2 && words[1] == "onednn" ? words[2] : "";
    std::vector<Version>& versions = report_.versions;
    versions.push_back({"oneDNN", onednn, "computes on the CPU"});
    versions.push_back({"Gloo", GlooVersion(), "exchanges gradients, of cards too"});
    versions.push_back({"driver", driver_, "580 or newer for cards"});
    versions.push_back({"CUDA", driver_cuda_, "13.0 or newer, what the driver supports"});
    versions.push_back({"cuBLAS", CublasVersion(), "13 for cards"});
    versions.push_back({"cuDNN", CudnnVersion(), "9 for cards"});
    versions.push_back({"NCCL", NcclVersion(), "not used"});
    if (!driver || report_.cards.empty()) return;
    double cuda = 0;
    if (absl::SimpleAtod(driver_cuda_, &cuda) && cuda < 13) {
      Advise(false,
             absl::StrCat("the driver ", driver_, " is for CUDA ", driver_cuda_,
                          ", 13.0 is needed: the CPU takes over"),
             kDriverCommand);
    }
    if (versions[4].found.empty()) {
      Advise(false, "cuBLAS 13 is missing: the CPU takes over",
             "apt-get install libcublas-13-0  (from NVIDIA's repository)");
    }
    if (versions[5].found.empty()) {
      Advise(false, "cuDNN 9 is missing: the CPU takes over",
             "apt-get install libcudnn9-cuda-13  (from NVIDIA's repository)");
    }
  }

  // Trains on each card that could. What is missing has been said; what fails beyond that is
  // broken.
  void TryCards() {
    const bool complete =
        std::none_of(report_.versions.begin(), report_.versions.end(), [](const Version& version) {
          return (version.name == "cuBLAS" || version.name == "cuDNN") && version.found.empty();
        });
    double cuda = 0;
    const bool new_enough = absl::SimpleAtod(driver_cuda_, &cuda) && cuda >= 13;
    if (!complete || !new_enough) return;
    const absl::StatusOr<std::string> object = FindBackend("cuda", options_.backend_folders);
    if (!object.ok()) {
      Advise(false, std::string(object.status().message()),
             "deploy/build.sh on a machine with CUDA 13 and cuDNN 9");
      return;
    }
    for (CardReport& card : report_.cards) {
      if (card.usable) TryCard(&card);
    }
  }

  void TryCard(CardReport* card) {
    const absl::StatusOr<Device> device =
        OpenDevice("cuda", card->facts.index, options_.backend_folders);
    card->speed = device.ok() ? MeasureTraining(*device->backend, options_.seconds)
                              : Speed{0, 0, std::string(device.status().message())};
    Speed& speed = *card->speed;
    const Speed& cpu = report_.cpu.speed;
    if (speed.fault.empty() && cpu.fault.empty() &&
        std::abs(speed.first_loss - cpu.first_loss) > kLossTolerance * cpu.first_loss) {
      speed.fault = absl::StrCat("its loss is ", speed.first_loss, ", the CPU's ", cpu.first_loss,
                                 " for the same batch");
    }
    if (speed.fault.empty()) return;
    Advise(true, absl::StrCat("card ", card->facts.index, " does not train: ", speed.fault));
  }

  const DoctorOptions& options_;
  Report report_;
  std::string identity_;  // of the CPU's backend
  std::string driver_, driver_cuda_;
};

}  // namespace

Report Examine(const DoctorOptions& options) { return Doctor(options).Run(); }

int RunDoctor(bool json) {
  DoctorOptions options;
  options.backend_folders = BackendFolders();
  // All cards, counted as the driver's library counts them.
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1);
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  const Report report = Examine(options);
  std::fputs((json ? ReportJson(report) : ReportText(report)).c_str(), stdout);
  return report.broken() ? kExitFailed : kExitOk;
}

}  // namespace baton::trainer
