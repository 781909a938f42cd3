// How the columns of a CSV file become a model's values: all that the training's rows decided.
// Training makes its samples with it, and whoever predicts has to do the same again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/spec/table_plan.h"

namespace baton::trainer {

struct ColumnEncoding {
  std::string name;
  spec::ColumnUse use = spec::ColumnUse::kNumber;
  // Of kNumber: a value becomes (value - shift) / unit; a missing one is taken for the mean.
  double mean = 0;
  double shift = 0;
  double unit = 1;
  // Of the others, in the order of their numbers.
  std::vector<std::string> categories;

  // `number` is NaN where it is missing.
  double Encode(double number) const;
  // Values that it gives to a sample.
  int64_t width() const;
};

struct TableEncoding {
  std::vector<std::string> file_columns;    // of the training's file, in its order
  std::vector<ColumnEncoding> columns;      // those that are read, each once
  std::vector<std::vector<size_t>> inputs;  // for each input of the model: indices into columns
  std::vector<size_t> targets;              // indices into columns; none of what reconstructs
  std::optional<size_t> anomaly;            // index into columns; not needed to predict
  double divide_by = 1;                     // what feeds the model, but one_hot columns

  // Appends what a column with this value gives to an input. `value` is encoded, or a category's
  // number.
  void Append(const ColumnEncoding& column, double value, std::vector<float>* out) const;
  int64_t WidthOfInput(size_t input) const;
  // Names of the classes, where the target's texts have numbers; empty: they have none.
  std::vector<std::string> Labels() const;
};

// From the rows `rows` of the training's file. Sums in their order and in double: the same bits on
// every rank.
TableEncoding FitTable(const spec::CsvData& csv, const spec::Model& model,
                       const spec::TableFile& train, const std::vector<uint32_t>& rows);

// From a file's columns alone, where the spec takes nothing from the training's rows.
TableEncoding PlainTable(const spec::Model& model, const spec::TablePlan& plan);
// Whether it takes something: a scale, a mean, categories.
bool NeedsRows(const spec::CsvData& csv);

}  // namespace baton::trainer
