#include "scheduler/store/frame.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace baton::store {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kDigestBytes = 8;
constexpr size_t kHeadBytes = kStreamMagic.size() + 4;

std::string LittleEndian(uint64_t number, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(number >> (8 * i));
  return text;
}

uint64_t NumberOf(absl::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

absl::Status Damaged(uint64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the log is damaged at byte ", offset, ": ", what, "; export it again"));
}

}  // namespace

std::string StreamHead() { return absl::StrCat(kStreamMagic, LittleEndian(kStreamVersion, 4)); }

std::string EncodeFrame(FrameKind kind, absl::string_view payload) {
  std::string frame = LittleEndian(1 + payload.size(), kLengthBytes);
  frame.push_back(static_cast<char>(kind));
  frame.append(payload.data(), payload.size());
  frame += LittleEndian(Xxh3(frame.data(), frame.size()), kDigestBytes);
  return frame;
}

absl::StatusOr<FrameReader> FrameReader::Open(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kStreamMagic) || bytes.size() < kHeadBytes) {
    return absl::DataLossError("this is no exported log of a baton-scheduler");
  }
  const uint64_t version = NumberOf(bytes.substr(kStreamMagic.size(), 4));
  if (version != kStreamVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the log has format ", version, ", this program reads ", kStreamVersion,
                     ": use the `baton` of the scheduler that exported it"));
  }
  FrameReader reader(bytes);
  reader.offset_ = kHeadBytes;
  return reader;
}

absl::StatusOr<Frame> FrameReader::Next() {
  const uint64_t begin = offset_;
  const absl::string_view rest = bytes_.substr(begin);
  if (rest.empty()) return absl::OutOfRangeError("the end of the log");
  if (rest.size() < kLengthBytes) return Damaged(begin, "it ends within a frame");
  const uint64_t length = NumberOf(rest.substr(0, kLengthBytes));
  if (length == 0) return Damaged(begin, "an empty frame");
  if (rest.size() < kLengthBytes + length + kDigestBytes) {
    return Damaged(begin, "it ends within a frame");
  }
  const absl::string_view summed = rest.substr(0, kLengthBytes + length);
  if (NumberOf(rest.substr(summed.size(), kDigestBytes)) != Xxh3(summed.data(), summed.size())) {
    return Damaged(begin, "a checksum does not fit");
  }
  const auto kind = static_cast<uint8_t>(rest[kLengthBytes]);
  if (kind < static_cast<uint8_t>(FrameKind::kHeader) ||
      kind > static_cast<uint8_t>(FrameKind::kEnd)) {
    return Damaged(begin, absl::StrCat("a frame of the unknown kind ", kind));
  }
  offset_ = begin + summed.size() + kDigestBytes;
  return Frame{static_cast<FrameKind>(kind), summed.substr(kLengthBytes + 1), begin};
}

}  // namespace baton::store
