#include "common/image/exif.h"

#include <cstddef>
#include <cstdint>

namespace baton::image {
namespace {

constexpr uint32_t kOrientation = 0x0112;
constexpr uint32_t kShort = 3;  // the type of a field of 16 bits
constexpr size_t kEntryBytes = 12;

// Numbers at a place; zero beyond the end.
class Tiff {
 public:
  explicit Tiff(absl::string_view bytes)
      : bytes_(bytes), big_endian_(bytes.size() > 1 && bytes[0] == 'M') {}

  uint32_t Number(size_t at, size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return 0;
    uint32_t number = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t place = big_endian_ ? i : size - 1 - i;
      number = number << 8 | static_cast<uint8_t>(bytes_[at + place]);
    }
    return number;
  }

 private:
  absl::string_view bytes_;
  bool big_endian_;
};

}  // namespace

int ExifOrientation(absl::string_view tiff) {
  if (tiff.substr(0, 2) != "II" && tiff.substr(0, 2) != "MM") return 1;
  const Tiff header(tiff);
  if (header.Number(2, 2) != 42) return 1;
  const size_t directory = header.Number(4, 4);
  const uint32_t entries = header.Number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry >= tiff.size()) break;
    if (header.Number(entry, 2) != kOrientation) continue;
    const uint32_t orientation = header.Number(entry + 8, 2);
    const bool good = header.Number(entry + 2, 2) == kShort && orientation >= 1 && orientation <= 8;
    return good ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

}  // namespace baton::image
