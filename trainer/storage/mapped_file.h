// A file's bytes, read as they are looked at, in memory that the kernel can take back.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::trainer {

// Begins at an address that any type may have. A file that is cut while it is read ends the
// process.
class MappedFile {
 public:
  // Codes as ErrnoStatus.
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  absl::string_view bytes() const { return {static_cast<const char*>(mapped_), size_}; }

 private:
  MappedFile() = default;

  void* mapped_ = nullptr;
  size_t size_ = 0;
};

}  // namespace baton::trainer
