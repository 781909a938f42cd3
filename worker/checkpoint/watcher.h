// Finds the checkpoints that a task has written: folders that appeared by a rename from a `.tmp`
// name in BATON_CHECKPOINT_DIR.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace baton::worker {

struct FoundCheckpoint {
  std::string name;
  std::string folder;
  int64_t step = 0;  // from checkpoint.json; 0: not said
  int64_t taken_ms = 0;
  // What the program's author has to be told about it, going on from its name; empty: nothing.
  std::string problem;
  bool refused = false;  // and so it can't be kept; `folder` need not be one then
};

// Not thread-safe.
class CheckpointWatcher {
 public:
  explicit CheckpointWatcher(std::string folder) : folder_(std::move(folder)) {}

  // What is new since the last look, in order of appearance. Cheap when nothing has changed. A name
  // is found once, also one that is refused: since it can't be a file's name elsewhere, or since it
  // is no folder.
  std::vector<FoundCheckpoint> Look(int64_t now_ms);

 private:
  const std::string folder_;
  std::set<std::string> seen_;
  int64_t changed_ns_ = -1;  // the folder's time of change at the last look
  bool settled_ = false;     // and it was long enough ago that a later change has another time
};

}  // namespace baton::worker
