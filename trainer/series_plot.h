// A series as it was and as a model has it, as a picture and as a table. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::trainer {

// A line over some of the rows, without gaps.
struct SeriesLine {
  std::string name;
  int64_t begin = 0;  // row of the first value, from 0
  std::vector<double> values;
};

struct SeriesPlot {
  std::string title;
  std::string value;  // what the values are: the column's name
  std::vector<SeriesLine> lines;
};

// SVG 1.1, 960 x 480, with axes, ticks and a legend; the same bytes for the same values.
std::string SeriesSvg(const SeriesPlot& plot);

// "row,<line>,<line>,.." with an empty field where a line has no value; rows from 1.
std::string SeriesCsv(const SeriesPlot& plot);

}  // namespace baton::trainer
