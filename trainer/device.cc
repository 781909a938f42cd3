#include "trainer/device.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "trainer/backend/plugin.h"
#include "trainer/build_id.h"
#include "trainer/nvidia_driver.h"

namespace baton::trainer {
namespace {

// Own float code is on both sides: the optimizer's in the program, the layers' in the backend.
std::string BuildOf(const LoadedBackend& loaded) {
  return absl::StrCat(BuildIdOf(reinterpret_cast<const void*>(&OpenDevice)), "+",
                      BuildIdOf(loaded.address));
}

absl::StatusOr<Device> OpenCpu(absl::string_view why, const std::vector<std::string>& folders) {
  BATON_ASSIGN_OR_RETURN(const std::string path, FindBackend("cpu", folders));
  BATON_ASSIGN_OR_RETURN(LoadedBackend loaded, LoadBackend(path, {}));
  std::string build = BuildOf(loaded);
  return Device{std::move(loaded.backend), std::move(build),
                absl::StrCat("computes on the CPU: ", why)};
}

absl::StatusOr<Device> OpenCuda(absl::string_view why, int local_rank,
                                const std::vector<std::string>& folders, bool fast) {
  BATON_ASSIGN_OR_RETURN(const std::string path, FindBackend("cuda", folders));
  // Before the object: it brings a gigabyte of libraries along.
  BATON_ASSIGN_OR_RETURN(const NvidiaCard card, FindNvidiaCard(local_rank));
  BATON_ASSIGN_OR_RETURN(LoadedBackend loaded, LoadBackend(path, {card.index, fast}));
  std::string build = BuildOf(loaded);
  return Device{std::move(loaded.backend), std::move(build),
                absl::StrCat("computes on card ", card.index, " (", card.name, ", CUDA): ", why)};
}

}  // namespace

absl::StatusOr<Device> OpenDevice(const std::string& wanted, int local_rank,
                                  const std::vector<std::string>& folders, bool fast) {
  if (wanted == "cpu") return OpenCpu("--device cpu", folders);
  if (wanted == "cuda") {
    absl::StatusOr<Device> device = OpenCuda("--device cuda", local_rank, folders, fast);
    if (device.ok()) return device;
    return absl::Status(device.status().code(),
                        absl::StrCat("--device cuda: ", device.status().message(),
                                     "; mend that, or use --device cpu"));
  }
  absl::StatusOr<Device> device =
      OpenCuda("--device auto takes CUDA where it is there", local_rank, folders, fast);
  if (device.ok()) return device;
  return OpenCpu(absl::StrCat("--device auto, and no CUDA: ", device.status().message()), folders);
}

}  // namespace baton::trainer
