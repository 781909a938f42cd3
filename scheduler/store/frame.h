// The byte stream of an exported segment, frame by frame: LOG.md holds the format.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::store {

enum class FrameKind : uint8_t { kHeader = 1, kRecord = 2, kEntry = 3, kEnd = 4 };

inline constexpr absl::string_view kStreamMagic = "BATONLOG";
inline constexpr uint32_t kStreamVersion = 1;

// The stream's first bytes: magic and version.
std::string StreamHead();

std::string EncodeFrame(FrameKind kind, absl::string_view payload);

struct Frame {
  FrameKind kind = FrameKind::kEnd;
  absl::string_view payload;  // of the reader's bytes
  uint64_t offset = 0;        // where the frame begins
};

// Reads the frames of a whole stream. Errors are DataLoss and name the offset.
class FrameReader {
 public:
  // `bytes` outlives the reader and its frames. FailedPrecondition: a newer version's stream.
  static absl::StatusOr<FrameReader> Open(absl::string_view bytes);

  // The next frame; OutOfRange behind the last one.
  absl::StatusOr<Frame> Next();

 private:
  explicit FrameReader(absl::string_view bytes) : bytes_(bytes) {}
  absl::string_view bytes_;
  uint64_t offset_ = 0;
};

}  // namespace baton::store
