// Floats that stay at one address: on the heap, or in a file, which the kernel writes out and drops
// from memory as it needs to, so that there may be more of them than memory.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::trainer {

// Thread-compatible.
class FloatMemory {
 public:
  FloatMemory() = default;
  // `count` zeros on the heap, in huge pages where the kernel has them: rows of a table are read
  // here and there, and of small pages there are more than a CPU knows the places of.
  static FloatMemory InMemory(size_t count);
  // `count` zeros in a file of `folder`, which is made when it does not exist. The file has no name
  // from the start, so nothing is left of it when the process ends. All its blocks are taken at
  // once: a disk that is too small is RESOURCE_EXHAUSTED here, not a signal later.
  static absl::StatusOr<FloatMemory> InFile(const std::string& folder, size_t count);
  ~FloatMemory() { Free(); }
  FloatMemory(FloatMemory&& other) noexcept { *this = std::move(other); }
  FloatMemory& operator=(FloatMemory&& other) noexcept;

  bool in_file() const { return in_file_; }
  // How a file's floats will be read: here and there, as at the start, when the neighbours that the
  // kernel would read too are not wanted, or in order, when they are. Changes the speed alone.
  enum class Access { kHereAndThere, kInOrder };
  void Expect(Access access) const;
  float* data() { return floats_; }
  const float* data() const { return floats_; }
  size_t size() const { return count_; }
  float& operator[](size_t i) { return data()[i]; }
  absl::Span<float> span() { return {data(), size()}; }
  absl::Span<const float> span() const { return {data(), size()}; }

 private:
  void Free();

  float* floats_ = nullptr;
  size_t count_ = 0;
  bool in_file_ = false;  // mapped, else on the heap
};

}  // namespace baton::trainer
