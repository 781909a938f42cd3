// CSV files against the columns that the spec names, and against the model.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"
#include "common/status.h"

namespace baton::spec {
namespace {

constexpr size_t kColumnsShown = 12;

class TableCheck {
 public:
  TableCheck(DataCheck& check, CsvData& csv) : check_(check), csv_(csv) {}

  void Run() {
    const std::optional<TableFile> train = Read("data.train", &csv_.train);
    const std::string train_path = path_;
    std::optional<TableFile> test;
    if (csv_.test) test = Read("data.test", &*csv_.test);
    if (csv_.reconstruct) CheckReconstruction();
    if (train) {
      CheckInputs(*train);
      CheckTarget(*train);
      path_ = train_path;
      CheckValues("data.train", *train);
      CheckRows(*train);
    }
    if (!test) return;
    path_ = test_path_;
    CheckValues("data.test", *test);
    CheckLength("data.test", test->columns.rows);
    if (train) CheckCategories(*train, *test);
  }

 private:
  std::optional<TableFile> Read(const std::string& field, FileSource* source) {
    const std::optional<std::string> path = check_.Find(field, source);
    if (!path) return std::nullopt;
    path_ = test_path_ = *path;
    absl::StatusOr<TableFile> file = ReadFile(*path);
    if (!file.ok()) {
      if (!file.status().message().empty()) {
        check_.Add(field, std::string(file.status().message()));
      }
      return std::nullopt;
    }
    if (file->columns.rows == 0) {
      const std::string& skipped = file->columns.first_skipped;
      check_.Add(field, absl::StrCat(*path, ": no row is left to read",
                                     skipped.empty() ? "" : "; the first left out: ", skipped));
      return std::nullopt;
    }
    TableFile summary{file->plan, file->columns};
    for (table::Column& column : summary.columns.columns) column.values.clear();
    if (check_.kept() != nullptr) check_.kept()->tables[field] = *std::move(file);
    return summary;
  }

  // An error without a message: the mistakes were told.
  absl::StatusOr<TableFile> ReadFile(const std::string& path) {
    BATON_ASSIGN_OR_RETURN(const std::unique_ptr<table::CsvReader> reader,
                           table::CsvReader::Open(path, csv_.delimiter));
    BATON_ASSIGN_OR_RETURN(std::vector<std::string> names, table::ReadHeader(*reader, csv_.header));
    std::vector<ColumnMistake> mistakes;
    TableFile file;
    file.plan = PlanTable(csv_, check_.model(), std::move(names), &mistakes);
    for (const ColumnMistake& mistake : mistakes) {
      check_.Add(absl::StrCat("data.", mistake.field), absl::StrCat(path, ": ", mistake.message),
                 "");
    }
    if (!mistakes.empty()) return absl::InvalidArgumentError("");
    const table::Missing missing = csv_.missing == CsvData::Missing::kSkip ? table::Missing::kSkip
                                   : csv_.missing == CsvData::Missing::kMean
                                       ? table::Missing::kKeep
                                       : table::Missing::kError;
    BATON_ASSIGN_OR_RETURN(file.columns,
                           table::ReadColumns(*reader, file.plan.names, file.plan.wanted, missing,
                                              check_.kept() != nullptr));
    return file;
  }

  void CheckInputs(const TableFile& train) {
    const std::vector<ModelInput>& inputs = check_.model().inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int64_t width = WidthOfInput(train, i);
      const int64_t steps = std::max<int64_t>(csv_.window_steps, 1);
      if (width * steps == ElementCount(inputs[i].shape)) continue;
      std::vector<std::string> columns;
      for (const size_t wanted : train.plan.inputs[i]) {
        const bool one_hot = train.plan.uses[wanted] == ColumnUse::kOneHot;
        if (columns.size() == kColumnsShown) columns.push_back("..");
        if (columns.size() > kColumnsShown) break;
        columns.push_back(
            absl::StrCat(train.plan.NameOf(wanted),
                         one_hot ? absl::StrCat(": one_hot of ", WidthOf(train, wanted)) : ""));
      }
      const std::string shape =
          csv_.window_steps > 0 ? ShapeText({csv_.window_steps, width}) : ShapeText({width});
      check_.Add(DataCheck::FieldOf(inputs[i]),
                 absl::StrCat("is ", ShapeText(inputs[i].shape), " but ", csv_.train.uri, " gives ",
                              shape, " (", absl::StrJoin(columns, ", "), "); make them equal"),
                 "");
    }
  }

  void CheckTarget(const TableFile& train) {
    const std::optional<DataCheck::Target> target = check_.target();
    if (!target) return;
    const int64_t rows = csv_.window_steps == 0 ? 1
                         : csv_.reconstruct     ? csv_.window_steps
                                                : csv_.window_horizon;
    const int64_t width =
        csv_.reconstruct ? WidthOfInput(train, 0) : static_cast<int64_t>(train.plan.targets.size());
    const int64_t count = rows * width;
    if (target->count == count) return;
    check_.Add(csv_.reconstruct ? "data.reconstruct" : "data.target",
               absl::StrCat("gives ", count, target->labels ? " labels" : " values",
                            " a sample but the model's output is ", ShapeText(target->output),
                            ", which needs ", target->count, "; make them equal"),
               "");
  }

  // What gives back its input has one, and is judged by how far it is off.
  void CheckReconstruction() {
    const Model& model = check_.model();
    if (model.inputs.size() > 1) {
      check_.Add("data.reconstruct",
                 "the model has several inputs; only one can be given back: join them", "");
    }
    const bool error =
        model.loss == Loss::kMeanSquaredError || model.loss == Loss::kMeanAbsoluteError;
    if (error) return;
    check_.Add("model.loss",
               absl::StrCat("what gives back its input is judged by how far it is off: use "
                            "mean_squared_error, not ",
                            LossName(model.loss)),
               "");
  }

  // What a column holds against what it may: labels, probabilities, ids.
  void CheckValues(const std::string& field, const TableFile& file) {
    if (file.plan.anomaly) {
      CheckRange(field, file, *file.plan.anomaly, 2, true, "0, or 1 for an anomaly");
    }
    for (const size_t target : file.plan.targets) {
      const int64_t classes = check_.data().classes;
      if (classes > 0) {
        CheckRange(
            field, file, target, static_cast<double>(classes), true,
            absl::StrCat("a label: the model has ", classes, " classes (0 to ", classes - 1,
                         "); `index: [", file.plan.NameOf(target), "]` numbers what stands there"));
      } else if (check_.model().loss == Loss::kBinaryCrossEntropy) {
        CheckRange(field, file, target, 1, false,
                   absl::StrCat("from 0 to 1, as binary_cross_entropy needs; `index: [",
                                file.plan.NameOf(target), "]` numbers two kinds of text"));
      }
    }
    for (size_t i = 0; i < file.plan.inputs.size(); ++i) {
      const int64_t ids = check_.VocabularyOf(check_.model().inputs[i].name);
      for (const size_t wanted : file.plan.inputs[i]) {
        if (ids == 0) break;
        CheckRange(field, file, wanted, static_cast<double>(ids), true,
                   absl::StrCat("an id: the embedding has a vocabulary of ", ids, " (0 to ",
                                ids - 1, "); widen it, or name the right column"));
      }
    }
  }

  void CheckRange(const std::string& field, const TableFile& file, size_t wanted, double end,
                  bool whole, const std::string& rule) {
    const table::Column& column = file.columns.columns[wanted];
    int64_t line = 0;
    double value = 0;
    if (column.smallest_line > 0 && column.smallest < 0) {
      line = column.smallest_line;
      value = column.smallest;
    } else if (column.largest_line > 0 && (whole ? column.largest >= end : column.largest > end)) {
      line = column.largest_line;
      value = column.largest;
    } else if (whole && column.fraction_line > 0) {
      check_.Add(field,
                 absl::StrCat(path_, ":", column.fraction_line, ": column '",
                              file.plan.NameOf(wanted), "' is not whole, so it is not ", rule));
      return;
    } else {
      return;
    }
    const std::string shown =
        file.plan.uses[wanted] == ColumnUse::kIndex
            ? absl::StrCat("'", Shown(column.categories.back()), "', number ", value, ",")
            : absl::StrCat(NumberText(value));
    check_.Add(field, absl::StrCat(path_, ":", line, ": column '", file.plan.NameOf(wanted),
                                   "' is ", shown, " which is not ", rule));
  }

  int64_t RowsNeeded() const {
    if (csv_.window_steps == 0) return 1;
    return csv_.window_steps + (csv_.reconstruct ? 0 : csv_.window_horizon);
  }

  void CheckRows(const TableFile& train) {
    const int64_t rows = train.columns.rows;
    const int64_t test = TestCount(csv_.test_part, rows);
    CheckLength("data.train", rows - test);
    // A forecast may look back on what was trained on.
    const int64_t test_needs =
        csv_.window_steps > 0 && !csv_.reconstruct ? csv_.window_horizon : RowsNeeded();
    if (csv_.test_part.fraction > 0 && test < test_needs) {
      check_.Add("data.test_fraction",
                 absl::StrCat("gives ", test, " of ", rows, " rows for the test, ", test_needs,
                              " are needed; make it larger"),
                 "");
    }
    for (size_t i = 0; i < train.plan.wanted.size(); ++i) {
      const table::Column& column = train.columns.columns[i];
      if (column.missing_line == 0 || column.smallest_line > 0) continue;
      check_.Add("data.train", absl::StrCat(path_, ": column '", train.plan.NameOf(i),
                                            "' has no value at all; leave it out"));
    }
  }

  void CheckLength(const std::string& field, int64_t rows) {
    if (rows >= RowsNeeded()) return;
    check_.Add(field, absl::StrCat(path_, ": ", rows, " rows for ", field, ", ", RowsNeeded(),
                                   " are needed; use a longer file"));
  }

  // A category's number is what the training's file says.
  void CheckCategories(const TableFile& train, const TableFile& test) {
    for (size_t i = 0; i < train.plan.wanted.size(); ++i) {
      if (train.plan.uses[i] != ColumnUse::kIndex) continue;
      const std::vector<std::string>& known = train.columns.columns[i].categories;
      const table::Column* column = ColumnOf(test, train.plan.NameOf(i));
      for (size_t c = 0; column != nullptr && c < column->categories.size(); ++c) {
        const std::string& text = column->categories[c];
        if (std::find(known.begin(), known.end(), text) != known.end()) continue;
        check_.Add("data.test", absl::StrCat(path_, ":", column->category_lines[c], ": column '",
                                             train.plan.NameOf(i), "': the training has no '",
                                             Shown(text), "'; leave the row out"));
        break;
      }
    }
  }

  static const table::Column* ColumnOf(const TableFile& file, const std::string& name) {
    for (size_t i = 0; i < file.plan.wanted.size(); ++i) {
      if (file.plan.NameOf(i) == name) return &file.columns.columns[i];
    }
    return nullptr;
  }

  DataCheck& check_;
  CsvData& csv_;
  std::string path_;  // of the file that is looked at
  std::string test_path_;
};

}  // namespace

void CheckTables(DataCheck& check, CsvData& data) { TableCheck(check, data).Run(); }

}  // namespace baton::spec
