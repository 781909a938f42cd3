// Reads a file in order, unpacking gzip (RFC 1952) when its first two bytes say that it is one.
// Unlike zlib's gzread it refuses bytes after the end of the gzip stream.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/byte_source.h"

namespace baton::idx {

class GzipFile : public ByteSource {
 public:
  // NOT_FOUND when the file cannot be opened. Read: DATA_LOSS, with the byte of the file, when the
  // packed bytes are damaged or cut short.
  static absl::StatusOr<std::unique_ptr<GzipFile>> Open(const std::string& path);
};

}  // namespace baton::idx
