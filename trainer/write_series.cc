#include "trainer/write_series.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "trainer/series_plot.h"

namespace baton::trainer {
namespace {

// The first of each sample's `size` values, in the target's unit.
std::vector<double> FirstValues(const std::vector<float>& values, int64_t samples,
                                const Series& series) {
  std::vector<double> first;
  const size_t size = values.size() / static_cast<size_t>(samples);
  for (size_t i = 0; i < static_cast<size_t>(samples); ++i) {
    first.push_back(double{values[i * size]} * series.unit + series.shift);
  }
  return first;
}

}  // namespace

absl::Status WriteSeries(Replica& replica, const Dataset& train, const Dataset* test,
                         const std::string& title, const std::string& folder) {
  const std::optional<Series> fitted = train.series();
  if (!fitted) return absl::OkStatus();
  SeriesPlot plot;
  plot.title = title;
  plot.value = fitted->name;
  BATON_ASSIGN_OR_RETURN(const Replica::Outputs fit, replica.Predict(train));
  plot.lines.push_back({"truth", fitted->row, FirstValues(fit.targets, train.count(), *fitted)});
  plot.lines.push_back({"fit", fitted->row, FirstValues(fit.values, train.count(), *fitted)});
  if (test != nullptr && test->series()) {
    const Series series = *test->series();
    BATON_ASSIGN_OR_RETURN(const Replica::Outputs forecast, replica.Predict(*test));
    const std::vector<double> truth = FirstValues(forecast.targets, test->count(), series);
    SeriesLine& before = plot.lines[0];
    if (before.begin + static_cast<int64_t>(before.values.size()) == series.row) {
      before.values.insert(before.values.end(), truth.begin(), truth.end());
    } else {
      plot.lines.push_back({"truth of the test", series.row, truth});
    }
    plot.lines.push_back(
        {"forecast", series.row, FirstValues(forecast.values, test->count(), series)});
  }
  BATON_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/series.csv"), SeriesCsv(plot)));
  return WriteFileAtomically(absl::StrCat(folder, "/series.svg"), SeriesSvg(plot));
}

}  // namespace baton::trainer
