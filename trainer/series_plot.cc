#include "trainer/series_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace baton::trainer {
namespace {

constexpr double kWidth = 960, kHeight = 480;
constexpr double kLeft = 70, kRight = 20, kTop = 60, kBottom = 50;
constexpr int kTicks = 6;
// Told apart by who sees no red and green, and in grey (Okabe and Ito).
constexpr std::array<const char*, 4> kColours = {"#999999", "#0072b2", "#d55e00", "#009e73"};

struct Interval {
  double low = 0;
  double high = 1;
};

// 1, 2 or 5 times a power of ten, so that about kTicks of them fit.
double TickOf(const Interval& interval) {
  const double rough = (interval.high - interval.low) / kTicks;
  double tick = 1;
  while (tick > rough) tick /= 10;
  while (tick * 10 <= rough) tick *= 10;
  for (const double factor : {10.0, 5.0, 2.0}) {
    if (tick * factor <= rough * 1.5) return tick * factor;
  }
  return tick;
}

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

int64_t EndOf(const SeriesPlot& plot) {
  int64_t end = 1;
  for (const SeriesLine& line : plot.lines) {
    end = std::max(end, line.begin + static_cast<int64_t>(line.values.size()));
  }
  return end;
}

class Drawing {
 public:
  explicit Drawing(const SeriesPlot& plot) : plot_(plot) {
    rows_ = {1, static_cast<double>(std::max<int64_t>(EndOf(plot), 2))};
    bool first = true;
    for (const SeriesLine& line : plot.lines) {
      for (const double value : line.values) {
        if (!std::isfinite(value)) continue;
        values_.low = first ? value : std::min(values_.low, value);
        values_.high = first ? value : std::max(values_.high, value);
        first = false;
      }
    }
    const double tick = values_.high > values_.low ? TickOf(values_) : 1;
    values_.low = std::floor(values_.low / tick) * tick;
    values_.high = std::max(std::ceil(values_.high / tick) * tick, values_.low + tick);
  }

  std::string Run() {
    absl::StrAppendFormat(&svg_,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
                          "viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" font-size=\"13\">\n"
                          "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                          kWidth, kHeight, kWidth, kHeight);
    Text(kLeft, 24, "start", plot_.title, " font-size=\"16\"");
    Axes();
    Legend();
    for (size_t i = 0; i < plot_.lines.size(); ++i) Line(plot_.lines[i], Colour(i));
    return svg_ + "</svg>\n";
  }

 private:
  static const char* Colour(size_t line) { return kColours[line % kColours.size()]; }
  double X(double row) const {
    return kLeft + (row - rows_.low) / (rows_.high - rows_.low) * (kWidth - kLeft - kRight);
  }
  double Y(double value) const {
    return kHeight - kBottom -
           (value - values_.low) / (values_.high - values_.low) * (kHeight - kTop - kBottom);
  }

  void Text(double x, double y, const char* anchor, const std::string& text,
            const char* more = "") {
    absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x,
                          y, anchor, more, Escaped(text));
  }

  void Axes() {
    const double tick = TickOf(values_);
    for (double value = values_.low; value <= values_.high + tick / 2; value += tick) {
      const double shown = std::abs(value) < tick / 2 ? 0 : value;
      absl::StrAppendFormat(&svg_,
                            "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" "
                            "stroke=\"#dddddd\"/>\n",
                            kLeft, kWidth - kRight, Y(value), Y(value));
      Text(kLeft - 8, Y(value) + 4, "end", absl::StrFormat("%.6g", shown));
    }
    const double step = std::max(TickOf(rows_), 1.0);
    for (double row = std::ceil(rows_.low / step) * step; row <= rows_.high; row += step) {
      Text(X(row), kHeight - kBottom + 18, "middle", absl::StrFormat("%.0f", row));
    }
    Text((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", "row");
    Text(kLeft, kTop - 12, "start", plot_.value);
  }

  void Legend() {
    double x = kWidth - kRight;
    for (size_t i = plot_.lines.size(); i-- > 0;) {
      const std::string& name = plot_.lines[i].name;
      Text(x, 24, "end", name);
      x -= 7.5 * static_cast<double>(name.size()) + 8;
      absl::StrAppendFormat(&svg_,
                            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"20\" stroke=\"%s\" "
                            "stroke-width=\"3\"/>\n",
                            x - 24, x, Colour(i));
      x -= 44;
    }
  }

  void Line(const SeriesLine& line, const char* colour) {
    absl::StrAppendFormat(
        &svg_, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\" points=\"", colour);
    for (size_t i = 0; i < line.values.size(); ++i) {
      const auto row = static_cast<double>(line.begin + static_cast<int64_t>(i) + 1);
      absl::StrAppendFormat(&svg_, "%s%.1f,%.1f", i == 0 ? "" : " ", X(row), Y(line.values[i]));
    }
    svg_ += "\"/>\n";
  }

  const SeriesPlot& plot_;
  Interval rows_, values_;
  std::string svg_;
};

}  // namespace

std::string SeriesSvg(const SeriesPlot& plot) { return Drawing(plot).Run(); }

std::string SeriesCsv(const SeriesPlot& plot) {
  std::string csv = "row";
  for (const SeriesLine& line : plot.lines) absl::StrAppend(&csv, ",", line.name);
  csv += "\n";
  const int64_t end = EndOf(plot);
  for (int64_t row = 0; row < end; ++row) {
    absl::StrAppend(&csv, row + 1);
    for (const SeriesLine& line : plot.lines) {
      const int64_t at = row - line.begin;
      csv += ",";
      if (at < 0 || at >= static_cast<int64_t>(line.values.size())) continue;
      absl::StrAppendFormat(&csv, "%.7g", line.values[static_cast<size_t>(at)]);
    }
    csv += "\n";
  }
  return csv;
}

}  // namespace baton::trainer
