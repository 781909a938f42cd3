// Arrays as numpy.save writes them (the format's versions 1 to 3: numpy.lib.format), plain or gzip,
// or as members of a zip archive (numpy.savez): little-endian float32, float64, int32, int64 or
// uint8, in C order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/byte_source.h"

namespace baton::table {

// What an array holds, without its values.
struct NpySummary {
  std::vector<uint64_t> dims;  // at least one, none of them 0
  std::string type;            // "float32", ..
  bool whole = true;           // an integer type
  double smallest = 0;
  double largest = 0;
  uint64_t smallest_at = 0;  // index of the first of these, row-major
  uint64_t largest_at = 0;
};

struct NpyArray {
  NpySummary summary;
  std::vector<float> values;    // rounded once
  std::vector<int32_t> labels;  // of an integer type, cut to 32 bits
};

enum class Keep { kNothing, kValues, kLabels };

// `member` names an array of an .npz file; empty for the only one, and for another file. Reads it
// through, in a fixed amount of memory unless something is kept. Errors name the file and the
// value: NOT_FOUND when it cannot be opened; DATA_LOSS when it is cut short, has bytes after its
// end, or a checksum fails; INVALID_ARGUMENT for another format, type or order, more than 2^30
// values, or a value that is nan, inf or beyond float32.
absl::StatusOr<NpyArray> ReadNpy(const std::string& path, const std::string& member, Keep keep);

// As ReadNpy for bytes that are at hand; `name` is theirs in messages.
absl::StatusOr<NpyArray> ReadNpyFrom(const std::string& name, ByteSource& bytes, Keep keep);

// An array that is read in order, in a fixed amount of memory. Files, members and errors as of
// ReadNpy, each when its place is reached. Thread-compatible.
class NpyStream {
 public:
  static absl::StatusOr<std::unique_ptr<NpyStream>> Open(const std::string& path,
                                                         const std::string& member);
  ~NpyStream();

  const std::string& name() const;  // "FILE" or "FILE:MEMBER"
  const std::vector<uint64_t>& dims() const;
  // The next values, rounded once. There must be as many left.
  absl::Status Read(absl::Span<float> values);
  // After the last value: that nothing follows, and that the checksum is right.
  absl::Status ExpectEnd();

 private:
  struct State;
  explicit NpyStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::table
