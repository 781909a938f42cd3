#include "worker/files_to_watch.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/contract.h"

namespace baton::worker {

std::optional<FileCheckpointOptions> FilesToWatch(const Wanted& task, const TaskPlaces& places,
                                                  const std::string& resume_folder) {
  const TaskKey& key = task.key;
  if (task.spec->checkpoint_globs.empty()) return std::nullopt;
  if (task.spec->checkpoints_of_rank0_only && key.rank != 0) return std::nullopt;
  FileCheckpointOptions watch;
  watch.work = places.work();
  watch.copies = places.copies();
  watch.globs = task.spec->checkpoint_globs;
  watch.name = absl::StrCat(contract::kFilesCheckpoint, key.attempt, ".", key.rank, ".");
  watch.needs_known_file = key.rank != 0;
  if (absl::StartsWith(task.resume.name, contract::kFilesCheckpoint)) watch.last = resume_folder;
  return watch;
}

}  // namespace baton::worker
