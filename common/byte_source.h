// Bytes that come in order: a file, or what is packed in one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"

namespace baton {

// Thread-compatible.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Up to `size` bytes; fewer only at the end. Errors name the file and what is wrong with it.
  virtual absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) = 0;
};

}  // namespace baton
