#include "trainer/data/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "trainer/numeric/portable_math.h"

namespace baton::trainer {
namespace {

constexpr int kCropTries = 10;

// Parts of a sample's stream.
enum class Change : uint64_t { kCrop = 1, kRotate, kFlip, kBrightness, kContrast, kSaturation };

RandomSequence DrawsOf(const RandomStream& stream, Change change) {
  return RandomSequence(stream.Derive(static_cast<uint64_t>(change)));
}

double Uniform(RandomSequence& random, double low, double high) {
  return low + double{RandomStream::ToUnit(random.Next())} * (high - low);
}

double LogOf(double x) { return x >= 1 ? Logarithm(x) : -Logarithm(1 / x); }
double ExpOf(double x) { return x <= 0 ? Exponential(x) : 1 / Exponential(-x); }
int64_t Rounded(double x) { return static_cast<int64_t>(std::floor(x + 0.5)); }

float Clamped(float value) { return std::clamp(value, 0.0f, 255.0f); }

// By Pillow's weights, which are ITU-R 601-2's.
float GreyOf(const float* rgb) { return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

Pixels ToPixels(const image::Image& image) {
  return {image.height, image.width, image.channels, {image.pixels.begin(), image.pixels.end()}};
}

// Where the pixel (x, y) lies when all have been turned by the angle around the centre.
struct Turn {
  float cosine, sine, centre_x, centre_y, right, bottom;

  std::pair<float, float> Source(int64_t x, int64_t y) const {
    const float dx = static_cast<float>(x) - centre_x;
    const float dy = static_cast<float>(y) - centre_y;
    return {std::clamp(cosine * dx + sine * dy + centre_x, 0.0f, right),
            std::clamp(cosine * dy - sine * dx + centre_y, 0.0f, bottom)};
  }
};

Pixels Rotated(const Pixels& in, double degrees) {
  const double half_turns = std::abs(degrees) / 180;
  const double sine = CosinePi(std::abs(0.5 - half_turns));
  const auto right = static_cast<float>(in.width - 1);
  const auto bottom = static_cast<float>(in.height - 1);
  const Turn turn = {static_cast<float>(CosinePi(half_turns)),
                     static_cast<float>(degrees < 0 ? -sine : sine),
                     right / 2,
                     bottom / 2,
                     right,
                     bottom};
  Pixels out{in.height, in.width, in.channels, std::vector<float>(in.values.size())};
  float* value = out.values.data();
  for (int64_t y = 0; y < in.height; ++y) {
    for (int64_t x = 0; x < in.width; ++x) {
      const auto [from_x, from_y] = turn.Source(x, y);
      const auto left = static_cast<int64_t>(from_x);
      const auto top = static_cast<int64_t>(from_y);
      const float share_x = from_x - static_cast<float>(left);
      const float share_y = from_y - static_cast<float>(top);
      const int64_t next_x = std::min(left + 1, in.width - 1);
      const int64_t next_y = std::min(top + 1, in.height - 1);
      const auto at = [&](int64_t row, int64_t column) {
        return in.values.data() + (row * in.width + column) * in.channels;
      };
      const float *a = at(top, left), *b = at(top, next_x);
      const float *c = at(next_y, left), *d = at(next_y, next_x);
      for (int64_t k = 0; k < in.channels; ++k) {
        const float upper = a[k] + share_x * (b[k] - a[k]);
        const float lower = c[k] + share_x * (d[k] - c[k]);
        *value++ = upper + share_y * (lower - upper);
      }
    }
  }
  return out;
}

void FlipHorizontally(Pixels* pixels) {
  for (int64_t y = 0; y < pixels->height; ++y) {
    float* row = pixels->values.data() + y * pixels->width * pixels->channels;
    for (int64_t x = 0; x < pixels->width / 2; ++x) {
      std::swap_ranges(row + x * pixels->channels, row + (x + 1) * pixels->channels,
                       row + (pixels->width - 1 - x) * pixels->channels);
    }
  }
}

void FlipVertically(Pixels* pixels) {
  const int64_t row = pixels->width * pixels->channels;
  float* values = pixels->values.data();
  for (int64_t y = 0; y < pixels->height / 2; ++y) {
    std::swap_ranges(values + y * row, values + (y + 1) * row,
                     values + (pixels->height - 1 - y) * row);
  }
}

void Flip(spec::Augment::Flip flip, RandomSequence random, Pixels* pixels) {
  using Kind = spec::Augment::Flip;
  const bool across = random.Below(2) == 1;
  const bool down = random.Below(2) == 1;
  if (across && (flip == Kind::kHorizontal || flip == Kind::kBoth)) FlipHorizontally(pixels);
  if (down && (flip == Kind::kVertical || flip == Kind::kBoth)) FlipVertically(pixels);
}

float DrawFactor(double strength, RandomSequence random) {
  return static_cast<float>(Uniform(random, std::max(0.0, 1 - strength), 1 + strength));
}

// Of all pixels, in their order.
float MeanOf(const Pixels& pixels) {
  double sum = 0;
  const auto step = static_cast<size_t>(pixels.channels);
  for (size_t i = 0; i < pixels.values.size(); i += step) {
    sum += double{step == 3 ? GreyOf(&pixels.values[i]) : pixels.values[i]};
  }
  return static_cast<float>(sum / static_cast<double>(pixels.height * pixels.width));
}

void ChangeColours(const spec::Augment& augment, const RandomStream& stream, Pixels* pixels) {
  if (augment.brightness > 0) {
    const float factor = DrawFactor(augment.brightness, DrawsOf(stream, Change::kBrightness));
    for (float& value : pixels->values) value = Clamped(value * factor);
  }
  if (augment.contrast > 0) {
    const float factor = DrawFactor(augment.contrast, DrawsOf(stream, Change::kContrast));
    const float mean = MeanOf(*pixels);
    for (float& value : pixels->values) value = Clamped(mean + factor * (value - mean));
  }
  if (augment.saturation > 0 && pixels->channels == 3) {
    const float factor = DrawFactor(augment.saturation, DrawsOf(stream, Change::kSaturation));
    for (size_t i = 0; i < pixels->values.size(); i += 3) {
      const float grey = GreyOf(&pixels->values[i]);
      for (size_t k = i; k < i + 3; ++k) {
        pixels->values[k] = Clamped(grey + factor * (pixels->values[k] - grey));
      }
    }
  }
}

}  // namespace

image::Box DrawCrop(const spec::Augment::Crop& crop, int64_t height, int64_t width,
                    RandomSequence random) {
  const auto area = static_cast<double>(height * width);
  const double log_min = LogOf(crop.ratio_min), log_max = LogOf(crop.ratio_max);
  for (int attempt = 0; attempt < kCropTries; ++attempt) {
    const double part = area * Uniform(random, crop.scale_min, crop.scale_max);
    const double ratio = ExpOf(Uniform(random, log_min, log_max));
    const int64_t w = Rounded(std::sqrt(part * ratio));
    const int64_t h = Rounded(std::sqrt(part / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const int64_t top = random.Below(static_cast<uint32_t>(height - h + 1));
    const int64_t left = random.Below(static_cast<uint32_t>(width - w + 1));
    return {top, left, h, w};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  int64_t h = height, w = width;
  if (ratio < crop.ratio_min) h = Rounded(static_cast<double>(width) / crop.ratio_min);
  if (ratio > crop.ratio_max) w = Rounded(static_cast<double>(height) * crop.ratio_max);
  h = std::clamp<int64_t>(h, 1, height);
  w = std::clamp<int64_t>(w, 1, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

Pixels Augmented(const image::Image& image, const spec::Augment& augment, const image::Frame& frame,
                 const RandomStream& stream) {
  Pixels pixels;
  if (augment.crop) {
    const image::Box box =
        DrawCrop(*augment.crop, image.height, image.width, DrawsOf(stream, Change::kCrop));
    pixels = ToPixels(image::Resize(image, box, frame.height, frame.width));
  } else {
    pixels = ToPixels(image);
  }
  if (augment.rotate > 0) {
    RandomSequence random = DrawsOf(stream, Change::kRotate);
    pixels = Rotated(pixels, Uniform(random, -augment.rotate, augment.rotate));
  }
  Flip(augment.flip, DrawsOf(stream, Change::kFlip), &pixels);
  ChangeColours(augment, stream, &pixels);
  return pixels;
}

}  // namespace baton::trainer
