// Any bytes are a whole picture of the size that its header says, or a mistake.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/image/decode.h"
#include "common/image/exif.h"

namespace baton::image {

static void Check(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  // A small limit keeps each input to some milliseconds and MiB, bombs too.
  const Limits limits = {.pixels_max = 1 << 16};
  const absl::StatusOr<Image> colour = Decode(bytes, 3, limits);
  const absl::StatusOr<Image> grey = Decode(bytes, 1, limits);
  BATON_CHECK(colour.status() == grey.status(), "the same mistake");
  const int orientation = ExifOrientation(bytes);
  BATON_CHECK(orientation >= 1 && orientation <= 8, "one of eight");
  if (!colour.ok()) {
    BATON_CHECK(absl::IsInvalidArgument(colour.status()), "a bad picture is the user's");
    return;
  }
  BATON_CHECK(colour->height > 0 && colour->width > 0 &&
                  colour->height * colour->width <= limits.pixels_max,
              "within the limit");
  BATON_CHECK(static_cast<int64_t>(colour->pixels.size()) == colour->height * colour->width * 3,
              "a value for each place");
  const Image seen = Fit(*colour, {.channels = 3, .height = 5, .width = 3, .resize = 0});
  BATON_CHECK(seen.pixels.size() == 45, "what a model sees");
}

}  // namespace baton::image

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::image::Check(data, size);
  return 0;
}
