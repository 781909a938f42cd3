#include "worker/metrics/event_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "worker/metrics/tensorboard.pb.h"

namespace baton::worker {
namespace {

namespace tb = tensorboard::v1;

constexpr size_t kHeadBytes = 12;
constexpr size_t kTailBytes = 4;
constexpr uint64_t kRecordBytesMax = 1 << 20;  // a larger one holds a picture

// Debian has no library that gives CRC-32C by itself.
uint32_t Crc32c(absl::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < made.size(); ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
      made[i] = crc;
    }
    return made;
  }();
  uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

template <typename Number>
Number At(absl::string_view bytes, size_t offset) {
  Number number;  // little-endian, as the machines are that Baton runs on
  memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

bool HasChecksum(absl::string_view bytes, size_t size) {
  const uint32_t crc = Crc32c(bytes.substr(0, size));
  return At<uint32_t>(bytes, size) == ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <typename Number, typename Values>
std::optional<double> FirstOf(const std::string& content, const Values& values) {
  if (values.size() == 1) return static_cast<double>(values.Get(0));
  if (content.size() != sizeof(Number)) return std::nullopt;
  return static_cast<double>(At<Number>(content, 0));
}

std::optional<double> ValueOf(const tb::Tensor& tensor) {
  enum Type { kFloat = 1, kDouble = 2, kInt32 = 3, kInt64 = 9 };
  if (tensor.shape().dimension_size() > 0) return std::nullopt;
  switch (tensor.type()) {
    case kFloat:
      return FirstOf<float>(tensor.content(), tensor.float_value());
    case kDouble:
      return FirstOf<double>(tensor.content(), tensor.double_value());
    case kInt32:
      return FirstOf<int32_t>(tensor.content(), tensor.int_value());
    case kInt64:
      return FirstOf<int64_t>(tensor.content(), tensor.int64_value());
    default:
      return std::nullopt;
  }
}

std::optional<double> ValueOf(const tb::Summary::Value& value) {
  if (value.has_simple_value()) return value.simple_value();
  if (value.has_tensor()) return ValueOf(value.tensor());
  return std::nullopt;
}

}  // namespace

absl::Status EventReader::Record(absl::string_view record, std::vector<Scalar>* scalars) const {
  tb::Event event;
  if (!event.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return absl::DataLossError(absl::StrCat("the record at byte ", at_, " is no event"));
  }
  for (const tb::Summary::Value& value : event.summary().value()) {
    const std::optional<double> number = ValueOf(value);
    if (!number.has_value()) continue;
    scalars->push_back({value.tag(), event.step(), event.wall_time(), *number});
  }
  return absl::OkStatus();
}

absl::Status EventReader::Take(absl::string_view bytes, std::vector<Scalar>* scalars) {
  const size_t skipped = std::min<size_t>(bytes.size(), static_cast<size_t>(skip_));
  skip_ -= static_cast<int64_t>(skipped);
  at_ += static_cast<int64_t>(skipped);
  rest_.append(bytes.data() + skipped, bytes.size() - skipped);
  absl::string_view rest = rest_;
  absl::Status status;
  while (rest.size() >= kHeadBytes && status.ok()) {
    const uint64_t length = At<uint64_t>(rest, 0);
    if (!HasChecksum(rest, sizeof(length)) || length > INT64_MAX / 2) {
      status = absl::DataLossError(absl::StrCat("no TensorBoard event begins at byte ", at_));
      break;
    }
    const size_t whole = kHeadBytes + length + kTailBytes;
    const size_t taken = std::min(whole, rest.size());
    if (length > kRecordBytesMax) {
      skip_ = static_cast<int64_t>(whole - taken);
    } else if (taken < whole) {
      break;
    } else if (!HasChecksum(rest.substr(kHeadBytes), length)) {
      status = absl::DataLossError(absl::StrCat("the event at byte ", at_, " is damaged"));
    } else {
      status = Record(rest.substr(kHeadBytes, length), scalars);
    }
    rest.remove_prefix(taken);
    at_ += static_cast<int64_t>(taken);
  }
  rest_.erase(0, rest_.size() - rest.size());
  return status;
}

}  // namespace baton::worker
