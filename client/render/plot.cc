#include "client/render/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace baton::client {
namespace {

using Points = std::vector<std::pair<double, double>>;

// A UTF-8 braille character: U+2800 plus the dots.
std::string Braille(uint8_t dots) {
  const uint32_t code = 0x2800u + dots;
  return {static_cast<char>(0xe0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

struct Bounds {
  double x_min, x_max, y_min, y_max;
};

Bounds BoundsOf(const Points& points) {
  Bounds b{points[0].first, points[0].first, points[0].second, points[0].second};
  for (const auto& [x, y] : points) {
    b.x_min = std::min(b.x_min, x);
    b.x_max = std::max(b.x_max, x);
    b.y_min = std::min(b.y_min, y);
    b.y_max = std::max(b.y_max, y);
  }
  return b;
}

// Two dots wide and four dots high per character; the bits of U+2800's dots by column and row.
std::vector<std::vector<uint8_t>> Raster(const Points& points, const Bounds& b, size_t width,
                                         size_t height) {
  static constexpr uint8_t kDots[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
  std::vector<std::vector<uint8_t>> cells(height, std::vector<uint8_t>(width, 0));
  for (const auto& [x, y] : points) {
    const auto column = static_cast<size_t>((x - b.x_min) / (b.x_max - b.x_min) *
                                            static_cast<double>(width * 2 - 1));
    const auto row = static_cast<size_t>((b.y_max - y) / (b.y_max - b.y_min) *
                                         static_cast<double>(height * 4 - 1));
    cells[row / 4][column / 2] |= kDots[column % 2][row % 4];
  }
  return cells;
}

// "loss  0.231 at step 157", "lr  0.1 at steps 1..157": of bounds without an area.
std::string ValuesLine(const std::string& title, const Bounds& b) {
  const auto range = [](double low, double high) {
    return low == high ? absl::StrFormat("%.6g", low) : absl::StrFormat("%.6g..%.6g", low, high);
  };
  return absl::StrCat(title, "  ", range(b.y_min, b.y_max),
                      b.x_min == b.x_max ? " at step " : " at steps ", range(b.x_min, b.x_max),
                      "\n");
}

}  // namespace

std::string Sparkline(const std::vector<double>& values, size_t width) {
  static constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<double> finite;
  for (const double v : values) {
    if (std::isfinite(v)) finite.push_back(v);
  }
  if (finite.empty() || width == 0) return "";
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  const double span = *high - *low;
  std::string line;
  const size_t columns = std::min(width, finite.size());
  for (size_t i = 0; i < columns; ++i) {
    const double v = finite[i * finite.size() / columns];
    line += kBlocks[span == 0 ? 3 : static_cast<size_t>((v - *low) / span * 7)];
  }
  return line;
}

std::string Plot(const std::string& title, const Points& all, size_t width, size_t height) {
  Points points;
  for (const auto& point : all) {
    if (std::isfinite(point.first) && std::isfinite(point.second)) points.push_back(point);
  }
  if (points.empty()) return "";
  const Bounds b = BoundsOf(points);
  if (b.x_min == b.x_max || b.y_min == b.y_max) return ValuesLine(title, b);
  const auto cells = Raster(points, b, width, height);
  std::string text = absl::StrCat(title, "\n");
  for (size_t row = 0; row < height; ++row) {
    std::string label(10, ' ');
    if (row == 0) label = absl::StrFormat("%10.4g", b.y_max);
    if (row + 1 == height) label = absl::StrFormat("%10.4g", b.y_min);
    absl::StrAppend(&text, label, " ┤");
    for (const uint8_t dots : cells[row]) text += Braille(dots);
    text += "\n";
  }
  const std::string right = absl::StrFormat("%.4g", b.x_max);
  std::string axis = absl::StrFormat("%.4g", b.x_min);
  if (axis.size() + right.size() < width) axis.append(width - axis.size() - right.size(), ' ');
  absl::StrAppend(&text, std::string(12, ' '), axis, right, "\n");
  return text;
}

}  // namespace baton::client
