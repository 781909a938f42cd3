#include "worker/blame.h"

#include "common/atomic_file.h"

namespace baton::worker {

bool IsJobsFault(Part part, const absl::Status& status) {
  if (IsOwnMachines(status)) return false;
  switch (part) {
    case Part::kFolder:  // a file in the package that is none
    case Part::kEnvironment:
      return absl::IsInvalidArgument(status);
    case Part::kPackage:
    case Part::kData:
    case Part::kCheckpoint:
      return absl::IsNotFound(status) || absl::IsDataLoss(status) ||
             absl::IsInvalidArgument(status);
  }
  return false;
}

}  // namespace baton::worker
