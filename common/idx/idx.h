// The IDX format in which MNIST is published, plain or gzip:
//   bytes 0-1 zero, byte 2 type (0x08: unsigned byte), byte 3 number of dimensions,
//   then each dimension as a big-endian 32-bit count, then the values, row-major.
// (Y. LeCun, "The MNIST database of handwritten digits", section "File formats".)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace baton::idx {

struct IdxArray {
  std::vector<uint32_t> dims;
  std::vector<uint8_t> values;
};

// Reads a file of unsigned bytes. Whether it is gzip is told by its first two bytes, not its name.
// Errors name the file and the byte: NOT_FOUND when it cannot be opened; DATA_LOSS when it is cut
// short, has bytes after its end, or gzip's checksum fails; INVALID_ARGUMENT when it is no IDX
// file of unsigned bytes, or claims more than 4 GiB.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path);

// What a file holds, without its values.
struct IdxSummary {
  std::vector<uint32_t> dims;
  uint8_t largest = 0;      // value
  uint64_t largest_at = 0;  // byte of the unpacked file where the first of these stands
};

// Reads the file through as ReadIdx does, with the same errors, in a fixed amount of memory.
absl::StatusOr<IdxSummary> SummarizeIdx(const std::string& path);

IdxSummary SummaryOf(const IdxArray& array);

// A file that is read in order, in a fixed amount of memory, with the errors of ReadIdx, each when
// its place is reached. Thread-compatible.
class IdxStream {
 public:
  static absl::StatusOr<std::unique_ptr<IdxStream>> Open(const std::string& path);
  ~IdxStream();

  const std::vector<uint32_t>& dims() const;
  // The next values; there must be as many left.
  absl::Status Read(absl::Span<uint8_t> values);
  // After the last value: that nothing follows, and that the checksum is right.
  absl::Status ExpectEnd();

 private:
  struct State;
  explicit IdxStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::idx
