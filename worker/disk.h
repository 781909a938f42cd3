// Whether a task's disk is there: asked for by its job (resources.disk), or what its data let
// expect. Pure, but for the caller's look at the disk.
#pragma once

#include <cstdint>
#include <string>

namespace baton::worker {

// Before anything is fetched: nothing where `free_bytes` hold what the job asks for (0: it says
// nothing), else what is missing and where, for its owner.
std::string DiskMissing(int64_t asked_bytes, int64_t free_bytes, const std::string& folder);

// When package and data (`data_bytes`) and the checkpoint to begin with (`checkpoint_bytes`) are on
// the disk, of a job that says nothing: it is to have three times the data and the next checkpoint
// beside them.
std::string DefaultDiskMissing(int64_t data_bytes, int64_t checkpoint_bytes, int64_t free_bytes,
                               const std::string& folder);

}  // namespace baton::worker
