// EXIF metadata, of which one field matters here: how the camera was held.
#pragma once

#include "absl/strings/string_view.h"

namespace baton::image {

// The orientation, 1 .. 8, in a TIFF header (JEITA CP-3451, section 4.6.4, tag 0x0112); 1 where it
// has none or is not whole. The bytes may be anybody's.
int ExifOrientation(absl::string_view tiff);

}  // namespace baton::image
