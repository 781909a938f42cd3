// Which files of a working folder are sent, and which stay here and why. Lists; reads no content.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/artifact/transfer.h"

namespace baton::client {

inline constexpr int64_t kFolderBytesMax = int64_t{512} << 20;

struct FolderPlan {
  std::vector<artifact::SourceFile> files;  // by path
  int64_t bytes = 0;
  // Files and folders that stay here, counted by reason: ".git", ".batonignore", "a local cluster",
  // "virtual environments", "broken links", ..
  std::map<std::string, int64_t> left_out;
  // Of these, what looks like a secret, by path; a folder ends with a slash.
  std::vector<std::string> held_back;
  // Why the folder can't be sent: too large, unreadable files, links that leave it. Each says what
  // to do.
  std::vector<std::string> mistakes;
};

// A link to something in the folder is sent as what it stands for. `.batonignore` in the folder
// and client/ignore.h decide what stays here.
FolderPlan PlanFolder(const std::string& folder);

// "2 __pycache__, 14 by .batonignore"; empty when nothing stays here.
std::string LeftOutText(const std::map<std::string, int64_t>& left_out);

}  // namespace baton::client
