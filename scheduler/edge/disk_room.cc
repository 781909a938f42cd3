#include "scheduler/edge/disk_room.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::edge {

absl::Status CheckDiskRoom(const store::Store& store) {
  constexpr double kFreeMin = 0.05;
  BATON_ASSIGN_OR_RETURN(const double free, store.FreeFraction());
  if (free >= kFreeMin) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the scheduler's disk is nearly full (", static_cast<int>(free * 100),
                   " % free): no new jobs are taken, running ones go on; make room in its data "
                   "folder and try again"));
}

}  // namespace baton::edge
