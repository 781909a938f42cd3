#include "trainer/nvidia_driver.h"

#include <dlfcn.h>

#include <array>

#include "absl/strings/str_cat.h"

namespace baton::trainer {
namespace {

// CUDA 13: drivers from 580 on, cards from Turing on.
constexpr int kDriverMin = 13000;
constexpr int kCapabilityMin = 75;

// The part of the driver's interface (cuda.h, stable since CUDA 3) that is asked here. A call gives
// 0 for success.
constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
struct Driver {
  int (*init)(unsigned flags);
  int (*driver_version)(int* version);
  int (*device_count)(int* count);
  int (*device)(int* device, int index);
  int (*device_name)(char* name, int size, int device);
  int (*device_attribute)(int* value, int attribute, int device);
};

absl::Status Missing(absl::string_view what) { return absl::FailedPreconditionError(what); }

template <class Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

absl::StatusOr<Driver> OpenDriver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // stays open
  if (library == nullptr) {
    return Missing("no NVIDIA driver (libcuda.so.1) on this machine");
  }
  Driver driver;
  if (!Find(library, "cuInit", &driver.init) ||
      !Find(library, "cuDriverGetVersion", &driver.driver_version) ||
      !Find(library, "cuDeviceGetCount", &driver.device_count) ||
      !Find(library, "cuDeviceGet", &driver.device) ||
      !Find(library, "cuDeviceGetName", &driver.device_name) ||
      !Find(library, "cuDeviceGetAttribute", &driver.device_attribute)) {
    return Missing("libcuda.so.1 is not NVIDIA's driver");
  }
  return driver;
}

std::string VersionText(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

}  // namespace

absl::StatusOr<NvidiaCard> FindNvidiaCard(int local_rank) {
  const absl::StatusOr<Driver> driver = OpenDriver();
  if (!driver.ok()) return driver.status();
  int version = 0;
  if (driver->driver_version(&version) == 0 && version < kDriverMin) {
    return Missing(absl::StrCat("the NVIDIA driver is for CUDA ", VersionText(version), "; CUDA ",
                                VersionText(kDriverMin),
                                " is needed: install driver 580 or newer"));
  }
  const int failure = driver->init(0);
  int count = 0;
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
  if (failure != 0 && failure != kNoDevice) {
    return Missing(absl::StrCat("the NVIDIA driver does not start (error ", failure,
                                "); nvidia-smi says more"));
  }
  if (failure == kNoDevice || driver->device_count(&count) != 0 || count == 0) {
    return Missing("the NVIDIA driver has no card for this process (CUDA_VISIBLE_DEVICES)");
  }
  NvidiaCard card;
  card.index = local_rank % count;
  int device = 0, major = 0, minor = 0;
  std::array<char, 256> name{};
  if (driver->device(&device, card.index) != 0 ||
      driver->device_name(name.data(), name.size() - 1, device) != 0 ||
      driver->device_attribute(&major, kMajor, device) != 0 ||
      driver->device_attribute(&minor, kMinor, device) != 0) {
    return Missing(absl::StrCat("the NVIDIA driver says nothing of card ", card.index));
  }
  card.name = name.data();
  if (major * 10 + minor < kCapabilityMin) {
    return Missing(absl::StrCat("card ", card.index, " (", card.name, ") has compute capability ",
                                major, ".", minor, "; CUDA 13 needs 7.5 (Turing) or newer"));
  }
  return card;
}

}  // namespace baton::trainer
