// Reads a file in order, unpacking gzip (RFC 1952) when its first two bytes say that it is one.
// Unlike zlib's gzread it refuses bytes after the end of the gzip stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace baton::idx {

// Thread-compatible.
class GzipFile {
 public:
  // NOT_FOUND when the file cannot be opened.
  static absl::StatusOr<std::unique_ptr<GzipFile>> Open(const std::string& path);
  virtual ~GzipFile() = default;

  // Up to `size` bytes; fewer only at the end of the file. DATA_LOSS, with the byte of the file,
  // when the packed bytes are damaged or cut short.
  virtual absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) = 0;
};

}  // namespace baton::idx
