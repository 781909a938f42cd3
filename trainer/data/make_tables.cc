// Data sets of CSV files: columns become the values of inputs, labels and targets.
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

// The columns of one file, numbers by the training's statistics and categories by its numbers.
class TableMaker {
 public:
  TableMaker(const CsvData& csv, const spec::Model& model, const spec::TableFile& train,
             const std::vector<uint32_t>& train_rows)
      : csv_(csv), model_(model), encoding_(FitTable(csv, model, train, train_rows)) {}

  const TableEncoding& encoding() const { return encoding_; }

  // The rows of a file. Of a series they must be without gaps; the first `lead` of them come
  // before the first target.
  std::unique_ptr<Dataset> Make(const spec::TableFile& file, const std::vector<uint32_t>& rows,
                                int64_t lead) {
    MatchColumns(file);
    TableSamples samples;
    const bool window = csv_.window_steps > 0;
    const auto row_count = static_cast<int64_t>(rows.size());
    samples.count = window ? row_count - lead - csv_.window_horizon + 1 : row_count;
    for (size_t i = 0; i < encoding_.inputs.size(); ++i) {
      SampleBlock<float> block;
      block.stride = encoding_.WidthOfInput(i);
      block.size = block.stride * (window ? csv_.window_steps : 1);
      block.begin = window ? (lead - csv_.window_steps) * block.stride : 0;
      for (const uint32_t row : rows) AppendInput(i, row, &block.values);
      samples.inputs.push_back(std::move(block));
    }
    if (model_.loss == spec::Loss::kSoftmaxCrossEntropy) {
      samples.labels = Targets<int32_t>(rows, lead);
    } else {
      samples.targets = Targets<float>(rows, lead);
      samples.target_unit = TargetUnit();
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

  // One for all targets, else errors stay in the units that training sees.
  double TargetUnit() const {
    const double unit = encoding_.columns[encoding_.targets[0]].unit;
    for (const size_t target : encoding_.targets) {
      if (encoding_.columns[target].unit != unit) return 1;
    }
    return unit;
  }

  const CsvData& csv_;
  const spec::Model& model_;
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
  datasets.train = maker.Make(train, parts.train, csv.window_steps);
  if (csv.test) {
    const spec::TableFile& test = files.tables.at("data.test");
    datasets.test = maker.Make(test, AllRows(test), csv.window_steps);
  } else if (csv.test_part.fraction > 0) {
    // A forecast of the first tested rows looks back on the last ones that were trained on.
    parts.test.insert(parts.test.begin(), parts.train.end() - csv.window_steps, parts.train.end());
    datasets.test = maker.Make(train, parts.test, csv.window_steps);
  }
  return datasets;
}

}  // namespace baton::trainer
