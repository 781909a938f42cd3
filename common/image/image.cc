#include "common/image/image.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace baton::image {
namespace {

// Of values that are shown on white paper.
uint8_t OverWhite(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

Image WithoutAlpha(const Image& image) {
  const int64_t colours = image.channels - 1;
  Image flat{image.height, image.width, colours, {}};
  flat.pixels.reserve(static_cast<size_t>(image.height * image.width * colours));
  for (size_t i = 0; i < image.pixels.size(); i += static_cast<size_t>(image.channels)) {
    const uint8_t alpha = image.pixels[i + static_cast<size_t>(colours)];
    for (int64_t c = 0; c < colours; ++c) {
      flat.pixels.push_back(OverWhite(image.pixels[i + static_cast<size_t>(c)], alpha));
    }
  }
  return flat;
}

// `half` of an odd difference goes to the even number, as Python rounds.
int64_t CentreOffset(int64_t outer, int64_t inner) {
  const int64_t half = (outer - inner) / 2;
  return (outer - inner) % 2 == 0 || half % 2 == 0 ? half : half + 1;
}

}  // namespace

Image WithChannels(Image image, int64_t channels) {
  BATON_CHECK(channels == 1 || channels == 3, "a picture is grey or coloured");
  if (image.channels == 2 || image.channels == 4) image = WithoutAlpha(image);
  if (image.channels == channels) return image;
  Image other{image.height, image.width, channels, {}};
  const size_t count = static_cast<size_t>(image.height * image.width);
  other.pixels.resize(count * static_cast<size_t>(channels));
  for (size_t i = 0; i < count; ++i) {
    if (channels == 3) {
      std::fill_n(other.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
    } else {
      const uint8_t* rgb = image.pixels.data() + 3 * i;
      other.pixels[i] = static_cast<uint8_t>(
          (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
    }
  }
  return other;
}

Image Upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool turned = orientation >= 5;  // its columns are stored as rows
  Image upright{turned ? image.width : image.height, turned ? image.height : image.width,
                image.channels, std::vector<uint8_t>(image.pixels.size())};
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
  uint8_t* out = upright.pixels.data();
  for (int64_t y = 0; y < upright.height; ++y) {
    for (int64_t x = 0; x < upright.width; ++x) {
      int64_t row = turned ? x : y;
      int64_t column = turned ? y : x;
      if (from_below) row = image.height - 1 - row;
      if (from_right) column = image.width - 1 - column;
      const uint8_t* in = image.pixels.data() + (row * image.width + column) * image.channels;
      out = std::copy_n(in, image.channels, out);
    }
  }
  return upright;
}

Image Fit(const Image& image, const Frame& frame) {
  const Box all{0, 0, image.height, image.width};
  if (frame.resize == 0) return Resize(image, all, frame.height, frame.width);
  const int64_t shorter = std::min(image.height, image.width);
  const int64_t height = frame.resize * image.height / shorter;
  const int64_t width = frame.resize * image.width / shorter;
  BATON_CHECK(height >= frame.height && width >= frame.width, "a frame wider than its resize");
  const Image resized = Resize(image, all, height, width);
  const Box centre{CentreOffset(height, frame.height), CentreOffset(width, frame.width),
                   frame.height, frame.width};
  return Resize(resized, centre, frame.height, frame.width);
}

}  // namespace baton::image
