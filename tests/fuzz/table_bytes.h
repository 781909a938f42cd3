// The fuzzer's input as a source that gives it in pieces.
#pragma once

#include <algorithm>
#include <cstring>

#include "common/byte_source.h"

namespace baton {

class FuzzBytes : public ByteSource {
 public:
  FuzzBytes(const uint8_t* data, size_t size, size_t piece)
      : data_(data), size_(size), piece_(piece) {}

  absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) override {
    size_t done = 0;
    while (done < size && size_ > 0) {
      const size_t count = std::min({piece_, size - done, size_});
      std::memcpy(bytes + done, data_, count);
      data_ += count;
      size_ -= count;
      done += count;
    }
    return done;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  const size_t piece_;
};

}  // namespace baton
