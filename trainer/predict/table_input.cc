// CSV files: columns are found by name and encoded as the training's were.
#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"
#include "common/status.h"
#include "common/table/csv.h"
#include "trainer/predict/input.h"

namespace baton::trainer {
namespace {

using spec::ColumnUse;
using spec::CsvData;

// Where the file has each column that the model's inputs are made of; of the others nothing.
using Places = std::vector<std::optional<size_t>>;

std::string Quoted(const std::string& name) { return absl::StrCat("'", spec::Shown(name), "'"); }

std::vector<bool> FeedsModel(const TableEncoding& table) {
  std::vector<bool> feeds(table.columns.size());
  for (const std::vector<size_t>& input : table.inputs) {
    for (const size_t column : input) feeds[column] = true;
  }
  return feeds;
}

// A file without a header whose target columns were cut off has the others in their old order.
std::vector<std::string> WithoutTargets(const TableEncoding& table) {
  std::vector<std::string> names;
  for (const std::string& name : table.file_columns) {
    const bool target = std::any_of(table.targets.begin(), table.targets.end(), [&](size_t column) {
      return table.columns[column].name == name;
    });
    if (!target) names.push_back(name);
  }
  return names;
}

absl::StatusOr<Places> FindColumns(const std::string& path, const TableEncoding& table,
                                   const std::vector<std::string>& names) {
  const std::vector<bool> feeds = FeedsModel(table);
  Places places(table.columns.size());
  std::vector<std::string> missing;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const auto at = std::find(names.begin(), names.end(), table.columns[i].name);
    if (!feeds[i]) continue;
    if (at == names.end()) {
      missing.push_back(Quoted(table.columns[i].name));
    } else {
      places[i] = static_cast<size_t>(at - names.begin());
    }
  }
  if (missing.empty()) return places;
  std::vector<std::string> shown;
  for (size_t i = 0; i < names.size() && i < 20; ++i) shown.push_back(spec::Shown(names[i]));
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": the model needs the columns ", absl::StrJoin(missing, ", "), "; the file has ",
      absl::StrJoin(shown, ", "), names.size() > shown.size() ? ", .." : ""));
}

class TableInput : public Input {
 public:
  TableInput(std::unique_ptr<table::CsvReader> reader, size_t fields, TableEncoding table,
             Places places, const CsvData& csv)
      : reader_(std::move(reader)),
        fields_(fields),
        table_(std::move(table)),
        places_(std::move(places)),
        missing_(csv.missing),
        steps_(static_cast<size_t>(std::max<int64_t>(csv.window_steps, 1))),
        rows_(table_.inputs.size()) {
    for (const ColumnEncoding& column : table_.columns) {
      std::map<std::string, double>& numbers = numbers_.emplace_back();
      for (const std::string& text : column.categories) {
        numbers.emplace(text, static_cast<double>(numbers.size()));
      }
    }
  }

  absl::Status Next(int64_t count_max, Batch* batch, std::vector<std::string>* names) override {
    names->clear();
    std::vector<std::vector<float>> blocks(table_.inputs.size());
    while (static_cast<int64_t>(names->size()) < count_max) {
      BATON_ASSIGN_OR_RETURN(const bool more, reader_->Next());
      if (!more) break;
      const int64_t row = row_++;
      BATON_ASSIGN_OR_RETURN(const bool whole, ReadRow());
      if (!whole) continue;
      if (rows_[0].size() < steps_) continue;
      for (size_t i = 0; i < blocks.size(); ++i) {
        for (const std::vector<float>& values : rows_[i]) {
          blocks[i].insert(blocks[i].end(), values.begin(), values.end());
        }
      }
      names->push_back(absl::StrCat(row));
    }
    any_ |= !names->empty();
    if (!any_) return TooShort();
    batch->count = static_cast<int64_t>(names->size());
    batch->values.clear();
    for (const std::vector<float>& block : blocks) {
      batch->values.insert(batch->values.end(), block.begin(), block.end());
    }
    return absl::OkStatus();
  }

  std::string Remarks() const override {
    std::vector<std::string> remarks;
    if (skipped_ > 0) {
      remarks.push_back(absl::StrCat(skipped_, " rows are left out; the first: ", first_skipped_));
    }
    if (unknown_ > 0) {
      remarks.push_back(absl::StrCat(unknown_, " texts are none of the training's and count as no ",
                                     "category; the first: ", first_unknown_));
    }
    return absl::StrJoin(remarks, "; ");
  }

 private:
  absl::Status TooShort() const {
    return absl::InvalidArgumentError(
        absl::StrCat(reader_->path(), ": has ", row_, " rows",
                     skipped_ > 0 ? absl::StrCat(" (", skipped_, " left out)") : "",
                     "; a sample is ", steps_, steps_ > 1 ? " rows" : " row"));
  }

  // The row's values become the newest of `rows_`; false where it is left out.
  absl::StatusOr<bool> ReadRow() {
    std::vector<double> values(table_.columns.size());
    const std::string fault = Values(&values);
    if (!fault.empty()) {
      const absl::Status error = reader_->ErrorAt(reader_->record().line, fault);
      if (missing_ != CsvData::Missing::kSkip || hard_) return error;
      if (skipped_++ == 0) first_skipped_ = std::string(error.message());
      return false;
    }
    for (size_t i = 0; i < rows_.size(); ++i) {
      std::vector<float> row;
      for (const size_t column : table_.inputs[i]) {
        table_.Append(table_.columns[column], values[column], &row);
      }
      rows_[i].push_back(std::move(row));
      if (rows_[i].size() > steps_) rows_[i].pop_front();
    }
    return true;
  }

  // By column, encoded; or what is wrong with the record. `hard_`: no `missing: skip` helps.
  std::string Values(std::vector<double>* values) {
    const table::CsvRecord& record = reader_->record();
    hard_ = false;
    if (!record.fault.empty()) return record.fault;
    if (record.fields.size() != fields_) {
      return absl::StrCat("has ", record.fields.size(), " fields but the first line has ", fields_);
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      if (!places_[i]) continue;
      const ColumnEncoding& column = table_.columns[i];
      const absl::string_view field = record.fields[*places_[i]];
      if (column.use != ColumnUse::kNumber) {
        const std::string text(field);
        const auto known = numbers_[i].find(text);
        (*values)[i] = known == numbers_[i].end() ? -1 : known->second;
        if (known != numbers_[i].end()) continue;
        const std::string what =
            absl::StrCat("column ", Quoted(column.name), ": the training has no ", Quoted(text));
        hard_ = column.use == ColumnUse::kIndex;
        if (hard_) return absl::StrCat(what, "; leave the row out");
        if (unknown_++ == 0) {
          first_unknown_ = std::string(reader_->ErrorAt(record.line, what).message());
        }
        continue;
      }
      double number = std::numeric_limits<double>::quiet_NaN();
      if (!table::IsMissing(field)) {
        const std::optional<double> parsed = table::ParseNumber(field);
        if (!parsed) {
          return absl::StrCat("column ", Quoted(column.name), ": ", Quoted(std::string(field)),
                              " is no number");
        }
        number = *parsed;
      } else if (missing_ != CsvData::Missing::kMean) {
        return absl::StrCat("column ", Quoted(column.name), " has no value (",
                            Quoted(std::string(field)), ")");
      }
      (*values)[i] = column.Encode(number);
    }
    return "";
  }

  const std::unique_ptr<table::CsvReader> reader_;
  const size_t fields_;
  const TableEncoding table_;
  const Places places_;
  const CsvData::Missing missing_;
  const size_t steps_;                                  // rows of a sample
  std::vector<std::map<std::string, double>> numbers_;  // by column, of its categories
  std::vector<std::deque<std::vector<float>>> rows_;    // by input: the newest ones
  int64_t row_ = 0;                                     // rows so far, those left out too
  bool any_ = false;
  bool hard_ = false;
  int64_t skipped_ = 0, unknown_ = 0;
  std::string first_skipped_, first_unknown_;
};

// Of a spec that takes nothing from the training's rows: from the file's own columns. The target
// may be missing there.
absl::StatusOr<TableEncoding> PlanColumns(const std::string& path, const CsvData& csv,
                                          const spec::Model& model,
                                          std::vector<std::string> names) {
  for (const std::string& target : csv.target) {
    if (csv.header && std::find(names.begin(), names.end(), target) == names.end()) {
      names.push_back(target);
    }
  }
  std::vector<spec::ColumnMistake> mistakes;
  const spec::TablePlan plan = spec::PlanTable(csv, model, std::move(names), &mistakes);
  if (mistakes.empty()) return PlainTable(model, plan);
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", absl::StrJoin(mistakes, "; ", [](std::string* out, const auto& m) {
                     absl::StrAppend(out, "data.", m.field, ": ", m.message);
                   })));
}

absl::Status CheckWidths(const std::string& path, const TableEncoding& table,
                         const spec::Model& model, int64_t steps) {
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    const int64_t width = table.WidthOfInput(i) * std::max<int64_t>(steps, 1);
    if (width == spec::ElementCount(model.inputs[i].shape)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, " gives ", width, " values to ", model.inputs[i].name, ", which is ",
        spec::ShapeText(model.inputs[i].shape), "; name the file's columns as the spec does"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Input>> OpenTable(const Subject& subject, const std::string& path) {
  const spec::NativeSpec& native = *subject.card.spec.native;
  const auto* csv = std::get_if<CsvData>(&native.data.source);
  if (csv == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " reads as CSV, but the model's spec has no `data.format: csv`, so its "
                     "columns have no meaning; give .npy or IDX"));
  }
  BATON_ASSIGN_OR_RETURN(auto reader, table::CsvReader::Open(path, csv->delimiter));
  BATON_ASSIGN_OR_RETURN(std::vector<std::string> names, table::ReadHeader(*reader, csv->header));
  const size_t fields = names.size();
  TableEncoding table;
  if (subject.card.table) {
    table = *subject.card.table;
    const std::vector<std::string> others = WithoutTargets(table);
    if (!csv->header && fields < table.file_columns.size() && fields == others.size()) {
      names = others;
    }
  } else {
    BATON_ASSIGN_OR_RETURN(table, PlanColumns(path, *csv, native.model, names));
  }
  BATON_ASSIGN_OR_RETURN(Places places, FindColumns(path, table, names));
  BATON_RETURN_IF_ERROR(CheckWidths(path, table, native.model, csv->window_steps));
  return std::make_unique<TableInput>(std::move(reader), fields, std::move(table),
                                      std::move(places), *csv);
}

}  // namespace baton::trainer
