// Checkpoints of a program that knows nothing of Baton: watches the files in its working folder
// that the spec names under `checkpoints`, copies them when they are whole, and hands each such set
// on as a checkpoint. file_set.h decides when.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "worker/checkpoint/file_set.h"
#include "worker/checkpoint/watcher.h"

namespace baton::worker {

struct FileCheckpointOptions {
  std::string work;    // the working folder
  std::string copies;  // where sets are made; on the same file system, and exists
  std::vector<std::string> globs;
  std::string name;  // of all sets: a number comes behind
  std::string last;  // the set that the program goes on from; empty: none
  // Only a set that has a file whose structure tells that it is whole is a checkpoint.
  bool needs_known_file = false;
};

// Called on the watching thread.
struct FileCheckpointEvents {
  std::function<void(const FoundCheckpoint&)> found;
  std::function<void(const std::string&)> problem;  // a sentence for the job's owner
  std::function<std::set<uint64_t>()> written;      // inodes that its processes may write to
};

// Thread-safe. Starts looking when it is made: before the program is started.
class FileCheckpoints {
 public:
  FileCheckpoints(FileCheckpointOptions options, const Clock& clock, FileCheckpointEvents events);
  // Calls nothing any more.
  ~FileCheckpoints();
  FileCheckpoints(const FileCheckpoints&) = delete;
  FileCheckpoints& operator=(const FileCheckpoints&) = delete;

  // No process of the task is left: what it wrote last is handed on, then `done` is called. Once.
  void End(TaskEnd end, std::function<void()> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
