// One process per folder: the lock goes with the process, however it ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace baton::edge {

class FolderLock {
 public:
  // Locks FOLDER/lock. FailedPrecondition names the process that holds it.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& folder);
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace baton::edge
