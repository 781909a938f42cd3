// Floats that stay at one address: on the heap, or in a file, which the kernel writes out and drops
// from memory as it needs to, so that there may be more of them than memory.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::trainer {

// Thread-compatible.
class FloatMemory {
 public:
  FloatMemory() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it is those floats.
  FloatMemory(std::vector<float> heap) : heap_(std::move(heap)) {}
  // `count` zeros in a file of `folder`, which is made when it does not exist. The file has no name
  // from the start, so nothing is left of it when the process ends. All its blocks are taken at
  // once: a disk that is too small is RESOURCE_EXHAUSTED here, not a signal later.
  static absl::StatusOr<FloatMemory> InFile(const std::string& folder, size_t count);
  ~FloatMemory() { Unmap(); }
  FloatMemory(FloatMemory&& other) noexcept { *this = std::move(other); }
  FloatMemory& operator=(FloatMemory&& other) noexcept;

  bool in_file() const { return mapped_ != nullptr; }
  // How a file's floats will be read: here and there, as at the start, when the neighbours that the
  // kernel would read too are not wanted, or in order, when they are. Changes the speed alone.
  enum class Access { kHereAndThere, kInOrder };
  void Expect(Access access) const;
  float* data() { return in_file() ? mapped_ : heap_.data(); }
  const float* data() const { return in_file() ? mapped_ : heap_.data(); }
  size_t size() const { return in_file() ? mapped_count_ : heap_.size(); }
  float& operator[](size_t i) { return data()[i]; }
  absl::Span<float> span() { return {data(), size()}; }
  absl::Span<const float> span() const { return {data(), size()}; }

 private:
  void Unmap();

  std::vector<float> heap_;
  float* mapped_ = nullptr;
  size_t mapped_count_ = 0;
};

}  // namespace baton::trainer
