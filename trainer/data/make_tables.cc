// Data sets of CSV files: columns become the values of inputs, labels and targets.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "common/check.h"
#include "trainer/data/make.h"
#include "trainer/data/table_dataset.h"
#include "trainer/data/table_encoding.h"

namespace baton::trainer {
namespace {

using spec::ColumnUse;
using spec::CsvData;

enum class Use { kTrain, kTest };

// Without those that are known to be unlike the others.
std::vector<uint32_t> Unmarked(const spec::TableFile& train, std::vector<uint32_t> rows) {
  if (!train.plan.anomaly) return rows;
  const std::vector<double>& marks = train.columns.columns[*train.plan.anomaly].values;
  rows.erase(
      std::remove_if(rows.begin(), rows.end(), [&](uint32_t row) { return marks[row] != 0; }),
      rows.end());
  return rows;
}

// The columns of one file, numbers by the training's statistics and categories by its numbers.
class TableMaker {
 public:
  TableMaker(const CsvData& csv, const spec::Model& model, const spec::TableFile& train,
             const std::vector<uint32_t>& train_rows)
      : csv_(csv),
        model_(model),
        train_(train),
        encoding_(FitTable(csv, model, train, Unmarked(train, train_rows))) {}

  const TableEncoding& encoding() const { return encoding_; }

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
    for (size_t i = 0; i < encoding_.inputs.size(); ++i) {
      SampleBlock<float> block;
      block.stride = encoding_.WidthOfInput(i);
      block.size = block.stride * (window ? csv_.window_steps : 1);
      for (const uint32_t row : rows) AppendInput(i, row, &block.values);
      samples.inputs.push_back(std::move(block));
    }
    if (csv_.reconstruct) {
      samples.targets = samples.inputs[0];
      samples.target_unit = UnitOf(encoding_.inputs[0]);
      if (encoding_.anomaly) MarkAnomalies(rows, use, &samples);
    } else if (model_.loss == spec::Loss::kSoftmaxCrossEntropy) {
      samples.labels = Targets<int32_t>(rows, lead);
    } else {
      samples.targets = Targets<float>(rows, lead);
      samples.target_unit = UnitOf(encoding_.targets);
      if (window && encoding_.targets.size() == 1) {
        // A file of its own goes on where the training's ends.
        const int64_t before = &file == &train_ ? 0 : train_.columns.rows;
        const ColumnEncoding& target = encoding_.columns[encoding_.targets[0]];
        samples.series =
            Series{target.name, before + int64_t{rows[0]} + lead, target.shift, target.unit};
      }
    }
    samples.label_names = encoding_.Labels();
    return std::make_unique<TableDataset>(std::move(samples));
  }

 private:
  // Two files may have their columns in another order, and other categories.
  void MatchColumns(const spec::TableFile& file) {
    columns_.clear();
    numbers_.assign(encoding_.columns.size(), {});
    for (size_t i = 0; i < encoding_.columns.size(); ++i) {
      size_t at = 0;
      while (at < file.plan.wanted.size() && file.plan.NameOf(at) != encoding_.columns[i].name) {
        ++at;
      }
      BATON_CHECK(at < file.plan.wanted.size(), "a test without the training's columns");
      columns_.push_back(&file.columns.columns[at]);
      std::map<std::string, double> known;
      for (const std::string& text : encoding_.columns[i].categories) {
        known.emplace(text, static_cast<double>(known.size()));
      }
      for (const std::string& text : columns_[i]->categories) {
        const auto entry = known.find(text);
        numbers_[i].push_back(entry == known.end() ? -1 : entry->second);
      }
    }
  }

  double Value(size_t column, uint32_t row) const {
    const double value = columns_[column]->values[row];
    if (encoding_.columns[column].use != ColumnUse::kNumber) {
      return numbers_[column][static_cast<size_t>(value)];
    }
    return encoding_.columns[column].Encode(value);
  }

  void AppendInput(size_t input, uint32_t row, std::vector<float>* values) const {
    for (const size_t column : encoding_.inputs[input]) {
      encoding_.Append(encoding_.columns[column], Value(column, row), values);
    }
  }

  template <class T>
  SampleBlock<T> Targets(const std::vector<uint32_t>& rows, int64_t lead) const {
    SampleBlock<T> block;
    const bool window = csv_.window_steps > 0;
    block.stride = static_cast<int64_t>(encoding_.targets.size());
    block.size = block.stride * (window ? csv_.window_horizon : 1);
    block.begin = window ? lead * block.stride : 0;
    for (const uint32_t row : rows) {
      for (const size_t column : encoding_.targets) {
        block.values.push_back(static_cast<T>(Value(column, row)));
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
      for (size_t t = 0; t < steps; ++t) mark |= Value(*encoding_.anomaly, rows[i + t]) != 0;
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
    const double unit = encoding_.columns[columns[0]].unit;
    for (const size_t column : columns) {
      if (encoding_.columns[column].unit != unit) return 1;
    }
    return unit;
  }

  const CsvData& csv_;
  const spec::Model& model_;
  const spec::TableFile& train_;
  const TableEncoding encoding_;
  std::vector<const table::Column*> columns_;  // by its columns, of the file that becomes samples
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
  datasets.table = maker.encoding();
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
