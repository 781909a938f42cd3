// A file that is read here and there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace baton::weights {

// Any thread may read.
class FileBytes {
 public:
  // NOT_FOUND when there is no such file, INVALID_ARGUMENT when it is a folder, pipe or device.
  static absl::StatusOr<std::unique_ptr<FileBytes>> Open(const std::string& path);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // Exactly these bytes. DATA_LOSS, which names the file, where it ends before.
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t size) const;

  // INVALID_ARGUMENT "<path>: <what>".
  absl::Status Wrong(const std::string& what) const;

 private:
  FileBytes(std::string path, int fd, uint64_t size);

  const std::string path_;
  const int fd_;
  const uint64_t size_;
};

}  // namespace baton::weights
