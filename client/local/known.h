// Which local clusters this user has, so that a command without --address finds one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace baton::client {

std::string DefaultLocalFolder();

// Of each `baton local up` that no `down` has ended, newest first.
std::vector<std::string> KnownFolders();

// One change at a time, of all programs.
absl::Status ChangeKnownFolders(const std::function<void(std::vector<std::string>*)>& change);

// Held: others that want the same folder's wait. No error when it can't be had, for the folder's
// use will say why.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  const int fd_;
};

}  // namespace baton::client
