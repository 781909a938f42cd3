// A picture in memory, and the operations on it that every reader of pictures needs. Integers and
// basic operations only: the same bits on every CPU.
#pragma once

#include <cstdint>
#include <vector>

namespace baton::image {

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;         // 1 grey, 3 red green blue; while decoding also 2 and 4, with alpha
  std::vector<uint8_t> pixels;  // height x width x channels, row-major

  bool operator==(const Image&) const = default;
};

// A part of a picture, in its pixels.
struct Box {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
};

// The box of `image`, which must hold it, as height x width pixels: a bilinear filter as wide as
// the reduction (antialias), horizontally, then vertically, each rounded to bytes. To the last bit
// what Pillow's `image.crop(box).resize((width, height), Image.BILINEAR)` gives, with which the
// published weights of torchvision were trained and measured.
Image Resize(const Image& image, const Box& box, int64_t height, int64_t width);

// What a model sees of a picture.
struct Frame {
  int64_t channels = 3;  // 1 or 3
  int64_t height = 0;
  int64_t width = 0;
  int64_t resize = 0;  // the short side before the centre is cut out, >= height, width; 0: the
                       // whole picture is resized to height x width
};

// torchvision's Resize(frame.resize) and CenterCrop, or Resize((height, width)).
Image Fit(const Image& image, const Frame& frame);

// The upright picture of one that is stored with that EXIF orientation, 1 (as it is) .. 8.
Image Upright(Image image, int orientation);

// With 1 or 3 channels, from 1 to 4: alpha lies over white; grey is (19595 red + 38470 green +
// 7471 blue) / 65536, rounded, as in ITU-R 601-2 and Pillow.
Image WithChannels(Image image, int64_t channels);

}  // namespace baton::image
