// The two formats that Decode reads; inside of this folder only.
#pragma once

#include <string>

#include "common/image/decode.h"

namespace baton::image {

// A picture as it is stored, 1 to 4 channels, and its EXIF orientation.
struct Stored {
  Image image;
  int orientation = 1;
};

bool IsJpeg(absl::string_view bytes);
bool IsPng(absl::string_view bytes);

absl::StatusOr<Stored> DecodeJpeg(absl::string_view bytes, const Limits& limits);
absl::StatusOr<Stored> DecodePng(absl::string_view bytes, const Limits& limits);

// Empty, or what is wrong with a picture of that size.
std::string SizeMistake(int64_t height, int64_t width, const Limits& limits);

}  // namespace baton::image
