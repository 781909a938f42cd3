#include "trainer/data/table_encoding.h"

#include <cmath>
#include <utility>
#include <variant>

namespace baton::trainer {
namespace {

using spec::ColumnUse;
using spec::CsvData;

void FitNumbers(const std::vector<double>& values, const std::vector<uint32_t>& rows,
                CsvData::Scale scale, ColumnEncoding* column) {
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
  if (count == 0) return;
  column->mean = sum / static_cast<double>(count);
  if (scale == CsvData::Scale::kMinMax) {
    column->shift = smallest;
    column->unit = largest - smallest;
  } else if (scale == CsvData::Scale::kStandard) {
    double squares = 0;
    for (const uint32_t row : rows) {
      const double from_mean = values[row] - column->mean;
      if (!std::isnan(from_mean)) squares += from_mean * from_mean;
    }
    column->shift = column->mean;
    column->unit = std::sqrt(squares / static_cast<double>(count));
  }
  // A column that is the same everywhere.
  if (!(column->unit > 0)) column->unit = 1;
}

bool FeedsEmbedding(const spec::Model& model, const std::string& input) {
  for (const spec::Layer& layer : model.layers) {
    if (!std::holds_alternative<spec::Embedding>(layer.op)) continue;
    if (layer.inputs == std::vector<std::string>{input}) return true;
  }
  return false;
}

}  // namespace

double ColumnEncoding::Encode(double number) const {
  return ((std::isnan(number) ? mean : number) - shift) / unit;
}

int64_t ColumnEncoding::width() const {
  return use == ColumnUse::kOneHot ? static_cast<int64_t>(categories.size()) : 1;
}

void TableEncoding::Append(const ColumnEncoding& column, double value,
                           std::vector<float>* out) const {
  if (column.use != ColumnUse::kOneHot) {
    out->push_back(static_cast<float>(value / divide_by));
    return;
  }
  for (int64_t c = 0; c < column.width(); ++c) {
    out->push_back(value == static_cast<double>(c) ? 1.0f : 0.0f);
  }
}

int64_t TableEncoding::WidthOfInput(size_t input) const {
  int64_t width = 0;
  for (const size_t column : inputs[input]) width += columns[column].width();
  return width;
}

std::vector<std::string> TableEncoding::Labels() const {
  return targets.size() == 1 ? columns[targets[0]].categories : std::vector<std::string>();
}

TableEncoding PlainTable(const spec::Model& model, const spec::TablePlan& plan) {
  TableEncoding encoding;
  encoding.file_columns = plan.names;
  encoding.inputs = plan.inputs;
  encoding.targets = plan.targets;
  encoding.anomaly = plan.anomaly;
  encoding.divide_by = model.divide_by;
  for (size_t i = 0; i < plan.wanted.size(); ++i) {
    ColumnEncoding column;
    column.name = plan.NameOf(i);
    column.use = plan.uses[i];
    encoding.columns.push_back(std::move(column));
  }
  return encoding;
}

bool NeedsRows(const CsvData& csv) {
  return csv.scale != CsvData::Scale::kNone || csv.missing == CsvData::Missing::kMean ||
         !csv.one_hot.empty() || !csv.index.empty();
}

TableEncoding FitTable(const CsvData& csv, const spec::Model& model, const spec::TableFile& train,
                       const std::vector<uint32_t>& rows) {
  TableEncoding encoding = PlainTable(model, train.plan);
  const auto unscaled = [&](size_t column) {
    encoding.columns[column].shift = 0;
    encoding.columns[column].unit = 1;
  };
  for (size_t i = 0; i < encoding.columns.size(); ++i) {
    ColumnEncoding& column = encoding.columns[i];
    column.categories = train.columns.columns[i].categories;
    if (column.use != ColumnUse::kNumber) continue;
    FitNumbers(train.columns.columns[i].values, rows, csv.scale, &column);
  }
  if (encoding.anomaly) unscaled(*encoding.anomaly);
  // An embedding's ids stay what they are.
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    if (!FeedsEmbedding(model, model.inputs[i].name)) continue;
    for (const size_t column : encoding.inputs[i]) unscaled(column);
  }
  if (model.loss == spec::Loss::kMeanSquaredError || model.loss == spec::Loss::kMeanAbsoluteError) {
    return encoding;
  }
  for (const size_t target : encoding.targets) unscaled(target);
  return encoding;
}

}  // namespace baton::trainer
