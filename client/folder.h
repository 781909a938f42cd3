// Folders and files that the user names by a flag.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::client {

// A path that can't be used is a wrong flag, InvalidArgument, and says so; a full disk stays what
// it is. `flag` as the user writes it: "--to".
absl::Status AsUsage(const absl::Status& status, absl::string_view flag);

// Makes folders, and at its end takes away again those that nothing came into.
class MadeFolders {
 public:
  MadeFolders() = default;
  ~MadeFolders();
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;

  // Makes `path` and what is missing above it; errors as AsUsage.
  absl::Status Make(const std::string& path, absl::string_view flag);

  // What has been made stays, empty or not.
  void Keep() { made_.clear(); }

 private:
  std::vector<std::string> made_;  // inner ones last
};

}  // namespace baton::client
