// Data sets of CSV files: columns become the values of inputs, labels and targets.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/check.h"
#include "trainer/data/make.h"
#include "trainer/data/table_dataset.h"

namespace baton::trainer {
namespace {

using spec::ColumnUse;
using spec::CsvData;

enum class Use { kTrain, kTest };

// (value - shift) / unit.
struct Scaling {
  double shift = 0;
  double unit = 1;
};

// Sums in the order of the rows and in double: the same bits on every rank.
struct Statistics {
  double mean = 0;
  Scaling scaling;
};

Statistics StatisticsOf(const std::vector<double>& values, const std::vector<uint32_t>& rows,
                        CsvData::Scale scale) {
  Statistics statistics;
  double sum = 0, smallest = 0, largest = 0;
  int64_t count = 0;
  for (const uint32_t row : rows) {
    const double value = values[row];
    if (std::isnan(value)) continue;
    if (count == 0 || value < smallest) smallest = value;
    if (count == 0 || value > largest) largest = value;
    sum += value;
    ++count;
  }
  if (count == 0) return statistics;
  statistics.mean = sum / static_cast<double>(count);
  if (scale == CsvData::Scale::kMinMax) {
    statistics.scaling = {smallest, largest - smallest};
  } else if (scale == CsvData::Scale::kStandard) {
    double squares = 0;
    for (const uint32_t row : rows) {
      const double from_mean = values[row] - statistics.mean;
      if (!std::isnan(from_mean)) squares += from_mean * from_mean;
    }
    statistics.scaling = {statistics.mean, std::sqrt(squares / static_cast<double>(count))};
  }
  // A column that is the same everywhere.
  if (!(statistics.scaling.unit > 0)) statistics.scaling.unit = 1;
  return statistics;
}

// The columns of one file, numbers by the training's statistics and categories by its numbers.
class TableMaker {
 public:
  TableMaker(const CsvData& csv, const spec::Model& model, const spec::TableFile& train,
             const std::vector<uint32_t>& train_rows)
      : csv_(csv), model_(model), train_(train) {
    const std::vector<uint32_t> usual = Unmarked(train_rows);
    const bool squared_or_absolute =
        model.loss == spec::Loss::kMeanSquaredError || model.loss == spec::Loss::kMeanAbsoluteError;
    for (size_t i = 0; i < train.plan.wanted.size(); ++i) {
      const bool number = train.plan.uses[i] == ColumnUse::kNumber;
      statistics_.push_back(number ? StatisticsOf(train.columns.columns[i].values, usual, csv.scale)
                                   : Statistics{});
    }
    if (train.plan.anomaly) statistics_[*train.plan.anomaly].scaling = {};
    // An embedding's ids stay what they are.
    for (size_t i = 0; i < model.inputs.size(); ++i) {
      if (!FeedsEmbedding(model.inputs[i].name)) continue;
      for (const size_t wanted : train.plan.inputs[i]) statistics_[wanted].scaling = {};
    }
    if (squared_or_absolute) return;
    for (const size_t target : train.plan.targets) statistics_[target].scaling = {};
  }

  // The rows of a file. Of a series they must be without gaps; the first window_steps of them come
  // before the first target.
  std::unique_ptr<Dataset> Make(const spec::TableFile& file, const std::vector<uint32_t>& rows,
                                Use use) {
    MatchColumns(file);
    TableSamples samples;
    const bool window = csv_.window_steps > 0;
    const auto row_count = static_cast<int64_t>(rows.size());
    const int64_t lead = csv_.window_steps;
    const int64_t last_rows = csv_.reconstruct ? 0 : csv_.window_horizon;
    samples.count = window ? row_count - lead - last_rows + 1 : row_count;
    for (size_t i = 0; i < train_.plan.inputs.size(); ++i) {
      SampleBlock<float> block;
      block.stride = spec::WidthOfInput(train_, i);
      block.size = block.stride * (window ? csv_.window_steps : 1);
      for (const uint32_t row : rows) AppendInput(i, row, &block.values);
      samples.inputs.push_back(std::move(block));
    }
    if (csv_.reconstruct) {
      samples.targets = samples.inputs[0];
      samples.target_unit = UnitOf(train_.plan.inputs[0]);
      if (train_.plan.anomaly) MarkAnomalies(rows, use, &samples);
    } else if (model_.loss == spec::Loss::kSoftmaxCrossEntropy) {
      samples.labels = Targets<int32_t>(rows, lead);
    } else {
      samples.targets = Targets<float>(rows, lead);
      samples.target_unit = UnitOf(train_.plan.targets);
      if (window && train_.plan.targets.size() == 1) {
        // A file of its own goes on where the training's ends.
        const int64_t before = &file == &train_ ? 0 : train_.columns.rows;
        const Scaling& scaling = statistics_[train_.plan.targets[0]].scaling;
        samples.series = Series{train_.plan.NameOf(train_.plan.targets[0]),
                                before + int64_t{rows[0]} + lead, scaling.shift, scaling.unit};
      }
    }
    return std::make_unique<TableDataset>(std::move(samples));
  }

 private:
  // Without those that are known to be unlike the others.
  std::vector<uint32_t> Unmarked(std::vector<uint32_t> rows) const {
    if (!train_.plan.anomaly) return rows;
    const std::vector<double>& marks = train_.columns.columns[*train_.plan.anomaly].values;
    rows.erase(
        std::remove_if(rows.begin(), rows.end(), [&](uint32_t row) { return marks[row] != 0; }),
        rows.end());
    return rows;
  }

  bool FeedsEmbedding(const std::string& input) const {
    for (const spec::Layer& layer : model_.layers) {
      if (!std::holds_alternative<spec::Embedding>(layer.op)) continue;
      if (layer.inputs == std::vector<std::string>{input}) return true;
    }
    return false;
  }

  // Two files may have their columns in another order, and other categories.
  void MatchColumns(const spec::TableFile& file) {
    columns_.clear();
    numbers_.assign(train_.plan.wanted.size(), {});
    for (size_t i = 0; i < train_.plan.wanted.size(); ++i) {
      size_t at = 0;
      while (at < file.plan.wanted.size() && file.plan.NameOf(at) != train_.plan.NameOf(i)) ++at;
      BATON_CHECK(at < file.plan.wanted.size(), "a test without the training's columns");
      columns_.push_back(&file.columns.columns[at]);
      std::map<std::string, double> known;
      for (const std::string& text : train_.columns.columns[i].categories) {
        known.emplace(text, static_cast<double>(known.size()));
      }
      for (const std::string& text : columns_[i]->categories) {
        const auto entry = known.find(text);
        numbers_[i].push_back(entry == known.end() ? -1 : entry->second);
      }
    }
  }

  double Value(size_t wanted, uint32_t row) const {
    const double value = columns_[wanted]->values[row];
    if (train_.plan.uses[wanted] != ColumnUse::kNumber) {
      return numbers_[wanted][static_cast<size_t>(value)];
    }
    const Statistics& statistics = statistics_[wanted];
    const double known = std::isnan(value) ? statistics.mean : value;
    return (known - statistics.scaling.shift) / statistics.scaling.unit;
  }

  void AppendInput(size_t input, uint32_t row, std::vector<float>* values) const {
    for (const size_t wanted : train_.plan.inputs[input]) {
      const double value = Value(wanted, row);
      if (train_.plan.uses[wanted] != ColumnUse::kOneHot) {
        values->push_back(static_cast<float>(value / model_.divide_by));
        continue;
      }
      const int64_t width = spec::WidthOf(train_, wanted);
      for (int64_t c = 0; c < width; ++c) {
        values->push_back(value == static_cast<double>(c) ? 1.0f : 0.0f);
      }
    }
  }

  template <class T>
  SampleBlock<T> Targets(const std::vector<uint32_t>& rows, int64_t lead) const {
    SampleBlock<T> block;
    const bool window = csv_.window_steps > 0;
    block.stride = static_cast<int64_t>(train_.plan.targets.size());
    block.size = block.stride * (window ? csv_.window_horizon : 1);
    block.begin = window ? lead * block.stride : 0;
    for (const uint32_t row : rows) {
      for (const size_t wanted : train_.plan.targets) {
        block.values.push_back(static_cast<T>(Value(wanted, row)));
      }
    }
    return block;
  }

  // A sample is an anomaly when one of its rows is.
  void MarkAnomalies(const std::vector<uint32_t>& rows, Use use, TableSamples* samples) const {
    const auto steps = static_cast<size_t>(std::max<int64_t>(csv_.window_steps, 1));
    std::vector<uint8_t> marks;
    for (size_t i = 0; i < static_cast<size_t>(samples->count); ++i) {
      uint8_t mark = 0;
      for (size_t t = 0; t < steps; ++t) mark |= Value(*train_.plan.anomaly, rows[i + t]) != 0;
      marks.push_back(mark);
    }
    if (use == Use::kTest) {
      samples->anomalies = std::move(marks);
      return;
    }
    for (uint32_t i = 0; i < marks.size(); ++i) {
      if (marks[i] == 0) samples->chosen.push_back(i);
    }
    samples->count = static_cast<int64_t>(samples->chosen.size());
  }

  // One for all columns, else errors stay in the units that training sees.
  double UnitOf(const std::vector<size_t>& columns) const {
    const double unit = statistics_[columns[0]].scaling.unit;
    for (const size_t target : columns) {
      if (statistics_[target].scaling.unit != unit) return 1;
    }
    return unit;
  }

  const CsvData& csv_;
  const spec::Model& model_;
  const spec::TableFile& train_;
  std::vector<Statistics> statistics_;         // by wanted column
  std::vector<const table::Column*> columns_;  // likewise, of the file that is made into samples
  std::vector<std::vector<double>> numbers_;   // likewise: of each category, -1: not known
};

std::vector<uint32_t> AllRows(const spec::TableFile& file) {
  return SplitSamples({}, file.columns.rows, 0).train;
}

}  // namespace

Datasets MakeTables(const CsvData& csv, const spec::Model& model, uint64_t seed,
                    spec::DataFiles files) {
  const spec::TableFile& train = files.tables.at("data.train");
  Parts parts = SplitSamples(csv.test_part, train.columns.rows, seed);
  TableMaker maker(csv, model, train, parts.train);
  Datasets datasets;
  datasets.train = maker.Make(train, parts.train, Use::kTrain);
  if (csv.test) {
    const spec::TableFile& test = files.tables.at("data.test");
    datasets.test = maker.Make(test, AllRows(test), Use::kTest);
  } else if (csv.test_part.fraction > 0) {
    // A forecast of the first tested rows looks back on the last ones that were trained on.
    if (!csv.reconstruct) {
      parts.test.insert(parts.test.begin(), parts.train.end() - csv.window_steps,
                        parts.train.end());
    }
    datasets.test = maker.Make(train, parts.test, Use::kTest);
  }
  return datasets;
}

}  // namespace baton::trainer
