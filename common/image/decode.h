// JPEG and PNG files to pictures: what their bytes say, not what their names do.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/image/image.h"

namespace baton::image {

inline constexpr int64_t kFileBytesMax = int64_t{64} << 20;

// What a file may ask for, checked from its header before anything is decoded.
struct Limits {
  int64_t pixels_max = 100'000'000;  // of one byte for each channel
};

// The upright picture (EXIF orientation is respected) with 1 or 3 channels: grey, coloured, with a
// palette, with alpha (over white), of 16 bits (rounded to 8), CMYK. Colour profiles and gamma are
// not looked at. InvalidArgument says what is wrong with it: no JPEG or PNG, damaged or cut off
// anywhere, too large; never a part of a picture. The bytes may be anybody's.
absl::StatusOr<Image> Decode(absl::string_view bytes, int64_t channels, const Limits& limits = {});

}  // namespace baton::image
