#include "trainer/series_plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace baton::trainer {
namespace {

SeriesPlot Plot() {
  return {.title = "a < b & \"c\"",
          .value = "sales",
          .lines = {{"truth", 1, {10, 20, 30}}, {"fit", 1, {12, 18}}, {"forecast", 3, {28.5}}}};
}

// The corners of each line, as the file has them.
std::vector<std::vector<std::pair<double, double>>> LinesOf(const std::string& svg) {
  std::vector<std::vector<std::pair<double, double>>> lines;
  const std::regex line("points=\"([^\"]*)\""), point("([0-9.-]+),([0-9.-]+)");
  for (std::sregex_iterator l(svg.begin(), svg.end(), line), end; l != end; ++l) {
    const std::string points = (*l)[1];
    lines.emplace_back();
    for (std::sregex_iterator p(points.begin(), points.end(), point), last; p != last; ++p) {
      lines.back().emplace_back(std::stod((*p)[1]), std::stod((*p)[2]));
    }
  }
  return lines;
}

TEST(SeriesPlotTest, TheTableHasARowForEach) {
  EXPECT_EQ(SeriesCsv(Plot()), "row,truth,fit,forecast\n1,,,\n2,10,12,\n3,20,18,\n4,30,,28.5\n");
}

TEST(SeriesPlotTest, ThePictureHasEveryValueInItsPlace) {
  const std::string svg = SeriesSvg(Plot());
  const auto lines = LinesOf(svg);
  ASSERT_EQ(lines.size(), 3u);
  ASSERT_EQ(lines[0].size(), 3u);
  ASSERT_EQ(lines[1].size(), 2u);
  ASSERT_EQ(lines[2].size(), 1u);
  // Equal steps along both axes, larger values above, one scale for all lines.
  const double step_x = lines[0][1].first - lines[0][0].first;
  const double step_y = lines[0][1].second - lines[0][0].second;
  EXPECT_GT(step_x, 0);
  EXPECT_LT(step_y, 0);
  EXPECT_NEAR(lines[0][2].first - lines[0][1].first, step_x, 0.11);
  EXPECT_NEAR(lines[0][2].second - lines[0][1].second, step_y, 0.11);
  EXPECT_NEAR(lines[1][0].second - lines[0][0].second, step_y * 0.2, 0.11);
  EXPECT_EQ(lines[1][0].first, lines[0][0].first);
  EXPECT_EQ(lines[2][0].first, lines[0][2].first);
  for (const auto& line : lines) {
    for (const auto& [x, y] : line) {
      EXPECT_TRUE(x >= 0 && x <= 960 && y >= 0 && y <= 480) << x << "," << y;
    }
  }
  EXPECT_NE(svg.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(svg.find(">sales<"), std::string::npos);
  EXPECT_NE(svg.find(">forecast<"), std::string::npos);
}

TEST(SeriesPlotTest, AnyRangeOfValuesHasTicks) {
  for (const double unit : {1e-9, 0.3, 1.0, 7e12}) {
    for (const std::vector<double>& values :
         {std::vector<double>{5 * unit}, {-unit, unit}, {unit, 1.01 * unit}, {0, 0}}) {
      const std::string svg = SeriesSvg({.title = "t", .value = "v", .lines = {{"l", 0, values}}});
      const auto ticks = std::count(svg.begin(), svg.end(), '\n');
      EXPECT_GT(ticks, 6);
      EXPECT_LT(ticks, 60);
      EXPECT_EQ(svg.find("nan"), std::string::npos);
      EXPECT_EQ(svg.find("inf"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace baton::trainer
