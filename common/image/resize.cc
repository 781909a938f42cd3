// Resampling in fixed point: weights with 22 bits behind the point, a row of which sums to one.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "common/check.h"
#include "common/image/image.h"

namespace baton::image {
namespace {

constexpr int kFractionBits = 32 - 8 - 2;  // of a byte's sum in 32 bits, one for sums above one

// Which inputs an output is made of.
struct Taps {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

std::vector<Taps> TapsOf(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // the filter's half width, in inputs
  std::vector<Taps> all(static_cast<size_t>(out));
  std::vector<double> weights;
  for (int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto begin =
        std::max<int64_t>(static_cast<int64_t>(std::floor(centre - stretch + 0.5)), 0);
    const auto end =
        std::min<int64_t>(static_cast<int64_t>(std::floor(centre + stretch + 0.5)), in);
    weights.clear();
    double sum = 0;
    const double inverse = 1.0 / stretch;
    for (int64_t x = 0; x < end - begin; ++x) {
      double distance = (static_cast<double>(x + begin) - centre + 0.5) * inverse;
      if (distance < 0) distance = -distance;
      weights.push_back(distance < 1 ? 1 - distance : 0);
      sum += weights.back();
    }
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = begin;
    for (const double weight : weights) {
      const double share = sum == 0 ? weight : weight / sum;
      taps.weights.push_back(static_cast<int32_t>(std::floor(0.5 + share * (1 << kFractionBits))));
    }
  }
  return all;
}

// Sums pixels that lie `step` bytes apart, each of `kChannels` bytes.
template <int kChannels>
void Sum(const Taps& taps, const uint8_t* in, ptrdiff_t step, uint8_t* out) {
  int32_t sums[kChannels];
  for (int c = 0; c < kChannels; ++c) sums[c] = 1 << (kFractionBits - 1);
  in += taps.first * step;
  for (const int32_t weight : taps.weights) {
    for (int c = 0; c < kChannels; ++c) sums[c] += in[c] * weight;
    in += step;
  }
  for (int c = 0; c < kChannels; ++c) {
    out[c] = static_cast<uint8_t>(std::clamp(sums[c] >> kFractionBits, 0, 255));
  }
}

template <int kChannels>
Image ResizeOf(const Image& image, const Box& box, int64_t height, int64_t width) {
  const uint8_t* in = image.pixels.data() + (box.top * image.width + box.left) * kChannels;
  const ptrdiff_t row = image.width * kChannels;
  Image narrow{box.height, width, kChannels, {}};
  narrow.pixels.resize(static_cast<size_t>(box.height * width * kChannels));
  const std::vector<Taps> across = TapsOf(box.width, width);
  uint8_t* out = narrow.pixels.data();
  for (int64_t y = 0; y < box.height; ++y, in += row) {
    for (const Taps& taps : across) {
      Sum<kChannels>(taps, in, kChannels, out);
      out += kChannels;
    }
  }
  if (height == box.height) return narrow;
  Image resized{height, width, kChannels, {}};
  resized.pixels.resize(static_cast<size_t>(height * width * kChannels));
  out = resized.pixels.data();
  const ptrdiff_t narrow_row = width * kChannels;
  for (const Taps& taps : TapsOf(box.height, height)) {
    for (ptrdiff_t x = 0; x < narrow_row; x += kChannels) {
      Sum<kChannels>(taps, narrow.pixels.data() + x, narrow_row, out);
      out += kChannels;
    }
  }
  return resized;
}

// The rows of the box as they are.
Image Cut(const Image& image, const Box& box) {
  Image cut{box.height, box.width, image.channels, {}};
  const int64_t row = box.width * image.channels;
  cut.pixels.resize(static_cast<size_t>(box.height * row));
  for (int64_t y = 0; y < box.height; ++y) {
    const int64_t from = ((box.top + y) * image.width + box.left) * image.channels;
    std::copy_n(image.pixels.begin() + from, row, cut.pixels.begin() + y * row);
  }
  return cut;
}

}  // namespace

Image Resize(const Image& image, const Box& box, int64_t height, int64_t width) {
  BATON_CHECK(box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 && height > 0 &&
                  width > 0 && box.top + box.height <= image.height &&
                  box.left + box.width <= image.width,
              "a box outside of its picture");
  BATON_CHECK(image.channels == 1 || image.channels == 3, "a picture is grey or coloured");
  if (height == box.height && width == box.width) return Cut(image, box);
  return image.channels == 1 ? ResizeOf<1>(image, box, height, width)
                             : ResizeOf<3>(image, box, height, width);
}

}  // namespace baton::image
