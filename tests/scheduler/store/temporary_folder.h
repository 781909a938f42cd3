// A folder that goes with its object; with a size, a disk of its own (tmpfs, as root).
#pragma once

#include <cstdint>
#include <string>

namespace baton::store {

class TemporaryFolder {
 public:
  TemporaryFolder();
  // Fails the test when the disk can't be mounted.
  explicit TemporaryFolder(int64_t disk_bytes);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace baton::store
