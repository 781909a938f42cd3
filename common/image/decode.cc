#include "common/image/decode.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/image/formats.h"
#include "common/status.h"

namespace baton::image {

std::string SizeMistake(int64_t height, int64_t width, const Limits& limits) {
  if (height < 1 || width < 1) return "has no pixels";
  if (height <= limits.pixels_max / width) return "";
  return absl::StrCat("is ", width, " x ", height, " pixels, more than the ", limits.pixels_max,
                      " that are read; make it smaller");
}

absl::StatusOr<Image> Decode(absl::string_view bytes, int64_t channels, const Limits& limits) {
  if (!IsJpeg(bytes) && !IsPng(bytes)) {
    return absl::InvalidArgumentError(bytes.empty() ? "is empty" : "is neither JPEG nor PNG");
  }
  BATON_ASSIGN_OR_RETURN(Stored stored,
                         IsJpeg(bytes) ? DecodeJpeg(bytes, limits) : DecodePng(bytes, limits));
  return WithChannels(Upright(std::move(stored.image), stored.orientation), channels);
}

}  // namespace baton::image
