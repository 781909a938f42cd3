// The files of a task's working folder that its spec calls checkpoints.
#pragma once

#include <string>
#include <vector>

#include "common/glob.h"
#include "worker/checkpoint/file_set.h"

namespace baton::worker {

struct WalkedFiles {
  SeenFiles files;
  bool cut = false;  // there were too many entries to look at all of them
};

// Regular files alone: nothing is read through a symbolic link. Leaves out `.baton` and names that
// no checkpoint can hold.
WalkedFiles WalkFiles(const std::string& folder, const std::vector<Glob>& globs);

// Open for reading, without links on the way; -1 where it isn't there (any more) as a regular file.
int OpenInFolder(const std::string& folder, const std::string& path);

// Of an open file.
FileVersion VersionOf(int file);

}  // namespace baton::worker
