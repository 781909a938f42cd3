// Environments name their own folder inside: in the first line of each script, in pyvenv.cfg, in
// compiled search paths. Whether one can live in another folder is looked for, not guessed: where
// only texts and links name it, they are rewritten; where a binary does, it can not.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::worker {

struct NamingFiles {
  std::vector<std::string> texts;  // relative paths
  std::vector<std::string> links;  // symbolic ones whose target begins with the folder
  std::string binary;              // the first binary that names it; empty: none
};

// Reads all files below `folder` and looks for `path`. Python's compiled files are passed over: the
// path in them only tells where a source was.
absl::StatusOr<NamingFiles> FindNaming(const std::string& folder, const std::string& path);

// Replaces `from` by `to` in what FindNaming has found. Times of files are kept.
absl::Status Rename(const std::string& folder, const NamingFiles& files, const std::string& from,
                    const std::string& to);

}  // namespace baton::worker
