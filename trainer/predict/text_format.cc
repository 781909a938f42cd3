#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/printable.h"
#include "nlohmann/json.hpp"
#include "trainer/predict/output.h"

namespace baton::trainer {
namespace {

using nlohmann::ordered_json;
using Kind = Meaning::Kind;

constexpr int kTopDefault = 5;  // of the table and of JSON lines

std::string Number(double value) { return absl::StrFormat("%.7g", value); }

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// The rows of a sample's scores.
std::vector<absl::Span<const double>> RowsOf(const Meaning& meaning,
                                             absl::Span<const double> scores) {
  std::vector<absl::Span<const double>> rows;
  const auto width = static_cast<size_t>(meaning.width);
  for (size_t at = 0; at < scores.size(); at += width) rows.push_back(scores.subspan(at, width));
  return rows;
}

const std::string& SideOf(const Meaning& meaning, double probability) {
  return meaning.sides[probability > 0.5 ? 1 : 0];
}

// sample[,position],label,score,<class>.. or with `top` label_1,score_1,..; sample,label,<name>;
// sample,<name>,..
class Csv : public TextFormat {
 public:
  Csv(Meaning meaning, int top) : meaning_(std::move(meaning)), top_(top) {}

  std::string Header() const override {
    std::vector<std::string> fields = {"sample"};
    if (meaning_.rows > 1) fields.push_back("position");
    if (meaning_.kind == Kind::kClasses && top_ > 0) {
      for (int i = 1; i <= std::min<int64_t>(top_, meaning_.width); ++i) {
        fields.push_back(absl::StrCat("label_", i));
        fields.push_back(absl::StrCat("score_", i));
      }
    } else {
      if (meaning_.kind == Kind::kClasses) fields.insert(fields.end(), {"label", "score"});
      if (OneDecision()) fields.push_back("label");
      for (const std::string& name : meaning_.names) fields.push_back(CsvField(name));
    }
    return absl::StrCat(absl::StrJoin(fields, ","), "\n");
  }

  std::string Sample(const std::string& name, absl::Span<const double> scores) const override {
    std::string text;
    int64_t position = 0;
    for (const absl::Span<const double> row : RowsOf(meaning_, scores)) {
      std::vector<std::string> fields = {CsvField(name)};
      if (meaning_.rows > 1) fields.push_back(absl::StrCat(position++));
      if (meaning_.kind == Kind::kClasses) {
        for (const size_t best : Best(row, static_cast<size_t>(std::max(top_, 1)))) {
          fields.push_back(CsvField(meaning_.names[best]));
          fields.push_back(Number(row[best]));
        }
      }
      if (OneDecision()) fields.push_back(CsvField(SideOf(meaning_, row[0])));
      if (meaning_.kind != Kind::kClasses || top_ == 0) {
        for (const double score : row) fields.push_back(Number(score));
      }
      absl::StrAppend(&text, absl::StrJoin(fields, ","), "\n");
    }
    return text;
  }

 private:
  bool OneDecision() const { return meaning_.kind == Kind::kProbabilities && meaning_.width == 1; }
  const Meaning meaning_;
  const int top_;
};

// {"sample":..,"label":..,"score":..,"top":[{"label":..,"score":..}],"probabilities":[..]} of a
// class; "rows":[..] of these where a sample has several; {"sample":..,"label":..,"probabilities":
// {NAME:..}}; {"sample":..,"values":{NAME:..}}.
class Json : public TextFormat {
 public:
  Json(Meaning meaning, int top)
      : meaning_(std::move(meaning)), top_(top > 0 ? top : kTopDefault) {}

  std::string Sample(const std::string& name, absl::Span<const double> scores) const override {
    ordered_json line = {{"sample", name}};
    int64_t number = 0;
    if (absl::SimpleAtoi(name, &number) && absl::StrCat(number) == name) line["sample"] = number;
    const std::vector<absl::Span<const double>> rows = RowsOf(meaning_, scores);
    if (meaning_.kind == Kind::kClasses && rows.size() == 1) {
      line.update(Row(rows[0]));
    } else if (meaning_.kind == Kind::kClasses) {
      for (const absl::Span<const double> row : rows) line["rows"].push_back(Row(row));
    } else {
      const bool probabilities = meaning_.kind == Kind::kProbabilities;
      if (probabilities && meaning_.width == 1) line["label"] = SideOf(meaning_, scores[0]);
      ordered_json& values = line[probabilities ? "probabilities" : "values"];
      for (size_t i = 0; i < scores.size(); ++i) values[meaning_.names[i]] = scores[i];
    }
    return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }

 private:
  ordered_json Row(absl::Span<const double> row) const {
    ordered_json top = ordered_json::array();
    for (const size_t best : Best(row, static_cast<size_t>(top_))) {
      top.push_back({{"label", meaning_.names[best]}, {"score", row[best]}});
    }
    return {{"label", top[0]["label"]},
            {"score", top[0]["score"]},
            {"top", top},
            {"probabilities", std::vector<double>(row.begin(), row.end())}};
  }

  const Meaning meaning_;
  const int top_;
};

// For people: the sample, then its best classes with their percentages, or its values.
class Table : public TextFormat {
 public:
  Table(Meaning meaning, int top)
      : meaning_(std::move(meaning)), top_(top > 0 ? top : kTopDefault) {}

  std::string Header() const override {
    if (meaning_.kind == Kind::kClasses) return "sample    predictions\n";
    std::string line = absl::StrFormat("%-8s", "sample");
    if (meaning_.kind == Kind::kProbabilities && meaning_.width == 1) {
      absl::StrAppendFormat(&line, "  %-12s", "label");
    }
    for (const std::string& name : meaning_.names) {
      absl::StrAppendFormat(&line, "  %12s", Printable(name));
    }
    return line + "\n";
  }

  std::string Sample(const std::string& name, absl::Span<const double> scores) const override {
    std::string line = absl::StrFormat("%-8s", Printable(name));
    const std::vector<absl::Span<const double>> rows = RowsOf(meaning_, scores);
    if (meaning_.kind == Kind::kClasses) {
      // Of a sequence the best of each position.
      const size_t count = rows.size() > 1 ? 1 : static_cast<size_t>(top_);
      for (const absl::Span<const double> row : rows) {
        for (const size_t best : Best(row, count)) {
          absl::StrAppendFormat(&line, "  %s %.2f %%", Printable(meaning_.names[best]),
                                row[best] * 100);
        }
      }
      return line + "\n";
    }
    if (meaning_.kind == Kind::kProbabilities && meaning_.width == 1) {
      absl::StrAppendFormat(&line, "  %-12s", Printable(SideOf(meaning_, scores[0])));
    }
    for (const double score : scores) absl::StrAppendFormat(&line, "  %12s", Number(score));
    return line + "\n";
  }

 private:
  const Meaning meaning_;
  const int top_;
};

}  // namespace

std::unique_ptr<TextFormat> CsvFormat(const Meaning& meaning, int top) {
  return std::make_unique<Csv>(meaning, top);
}
std::unique_ptr<TextFormat> JsonFormat(const Meaning& meaning, int top) {
  return std::make_unique<Json>(meaning, top);
}
std::unique_ptr<TextFormat> TableFormat(const Meaning& meaning, int top) {
  return std::make_unique<Table>(meaning, top);
}

}  // namespace baton::trainer
