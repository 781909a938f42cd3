// Which columns of a CSV file feed what: the inputs of the model, and its target. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/job_spec.h"
#include "common/table/columns.h"

namespace baton::spec {

enum class ColumnUse { kNumber, kIndex, kOneHot };

struct TablePlan {
  std::vector<std::string> names;           // of all columns of the file
  std::vector<table::Wanted> wanted;        // those that are read, each once
  std::vector<ColumnUse> uses;              // of each wanted one
  std::vector<std::vector<size_t>> inputs;  // for each input of the model: indices into wanted
  std::vector<size_t> targets;              // indices into wanted; none of what reconstructs
  std::optional<size_t> anomaly;            // index into wanted

  const std::string& NameOf(size_t index) const { return names[wanted[index].index]; }
};

// A file as it was read, and how.
struct TableFile {
  TablePlan plan;
  table::Columns columns;
};

// What is wrong with the columns that a spec names.
struct ColumnMistake {
  std::string field;  // below `data.`: "target", "features", ..
  std::string message;
};

// `names` as the file has them. Empty `mistakes` mean that the plan is whole.
TablePlan PlanTable(const CsvData& csv, const Model& model, std::vector<std::string> names,
                    std::vector<ColumnMistake>* mistakes);

// Values that a column gives to a sample: its categories for one_hot, else one. `train` is the
// training's file, which says what categories there are.
int64_t WidthOf(const TableFile& train, size_t wanted);

// Values of one row for an input: the sum over its columns.
int64_t WidthOfInput(const TableFile& train, size_t input);

// The test's part of so many rows or samples.
int64_t TestCount(const TestPart& part, int64_t samples);

}  // namespace baton::spec
