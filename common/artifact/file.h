// System calls on files, with errors as Status. For this folder alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::artifact {

// An open file descriptor or none; closes it at the end of its life.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(other.Release()) {}
  File& operator=(File&& other) noexcept;
  ~File();

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int Release();

 private:
  int fd_ = -1;
};

// Up to `size` bytes at `offset`; fewer only at the end of the file. `name` is for messages.
absl::StatusOr<std::string> ReadAt(const File& file, int64_t offset, size_t size,
                                   const std::string& name);

absl::Status WriteAt(const File& file, int64_t offset, absl::string_view bytes,
                     const std::string& name);

// fdatasync.
absl::Status SyncData(const File& file, const std::string& name);

// Opens `path` (relative, '/' between parts) below `folder` for reading. No part may be a symbolic
// link: whoever made the folder must not lead us elsewhere. InvalidArgument for one.
absl::StatusOr<File> OpenBeneath(const std::string& folder, const std::string& path);

}  // namespace baton::artifact
