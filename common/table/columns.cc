#include "common/table/columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::table {
namespace {

constexpr size_t kShownBytes = 40;

// Whole characters of the text, for a message.
std::string Shown(absl::string_view text) {
  size_t end = std::min(text.size(), kShownBytes);
  while (end > 0 && end < text.size() && (text[end] & 0xc0) == 0x80) --end;
  return absl::StrCat("'", text.substr(0, end), end < text.size() ? "...'" : "'");
}

bool CategoryBefore(const std::string& a, const std::string& b) {
  const std::optional<double> x = ParseNumber(a), y = ParseNumber(b);
  if (x.has_value() != y.has_value()) return x.has_value();
  if (x && *x != *y) return *x < *y;
  return a < b;
}

// Takes in the rows.
class Reader {
 public:
  Reader(CsvReader& reader, const std::vector<std::string>& names,
         const std::vector<Wanted>& wanted, Missing missing, bool keep)
      : reader_(reader), names_(names), wanted_(wanted), missing_(missing), keep_(keep) {
    read_.columns.resize(wanted.size());
    found_.resize(wanted.size());
    row_.resize(wanted.size());
  }

  absl::StatusOr<Columns> Run() {
    const int64_t rows_max =
        std::min<int64_t>(kValuesMax / static_cast<int64_t>(std::max<size_t>(wanted_.size(), 1)),
                          std::numeric_limits<uint32_t>::max());
    while (true) {
      BATON_ASSIGN_OR_RETURN(const bool more, reader_.Next());
      if (!more) break;
      const std::string fault = ReadRow();
      if (fault.empty()) {
        BATON_RETURN_IF_ERROR(TakeRow());
      } else if (missing_ == Missing::kSkip) {
        if (read_.skipped++ == 0) read_.first_skipped = std::string(Error(fault).message());
      } else {
        return Error(fault);
      }
      if (read_.rows > rows_max) return Error(absl::StrCat("more than ", rows_max, " rows"));
    }
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (wanted_[i].category) OrderCategories(found_[i], &read_.columns[i]);
    }
    return std::move(read_);
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return reader_.ErrorAt(reader_.record().line, what);
  }

  std::string ColumnText(const Wanted& wanted) const {
    return absl::StrCat("column ", Shown(names_[wanted.index]));
  }

  // The values of the record; or what is wrong with it.
  std::string ReadRow() {
    const CsvRecord& record = reader_.record();
    if (!record.fault.empty()) return record.fault;
    if (record.fields.size() != names_.size()) {
      return absl::StrCat("has ", record.fields.size(), " fields but the first line has ",
                          names_.size(), "; mend the line, or quote what holds a delimiter");
    }
    for (size_t i = 0; i < wanted_.size(); ++i) {
      const absl::string_view text = record.fields[wanted_[i].index];
      if (wanted_[i].category) continue;
      row_[i] = std::numeric_limits<double>::quiet_NaN();
      if (IsMissing(text)) {
        if (missing_ == Missing::kKeep && !wanted_[i].required) continue;
        return absl::StrCat(ColumnText(wanted_[i]), " has no value (", Shown(text), ")",
                            missing_ == Missing::kKeep ? " and it is a target" : "");
      }
      const std::optional<double> number = ParseNumber(text);
      if (!number) return absl::StrCat(ColumnText(wanted_[i]), ": ", Shown(text), " is no number");
      row_[i] = *number;
    }
    return "";
  }

  absl::Status TakeRow() {
    const int64_t line = reader_.record().line;
    ++read_.rows;
    for (size_t i = 0; i < wanted_.size(); ++i) {
      Column& column = read_.columns[i];
      if (wanted_[i].category) {
        const std::string text(reader_.record().fields[wanted_[i].index]);
        const auto [entry, is_new] =
            found_[i].try_emplace(text, Found{static_cast<int64_t>(found_[i].size()), line});
        row_[i] = static_cast<double>(entry->second.number);
        if (found_[i].size() > kCategoriesMax) {
          return Error(absl::StrCat(ColumnText(wanted_[i]), " has more than ", kCategoriesMax,
                                    " categories"));
        }
      } else {
        Note(row_[i], line, &column);
      }
      if (keep_) column.values.push_back(row_[i]);
    }
    return absl::OkStatus();
  }

  static void Note(double value, int64_t line, Column* column) {
    if (std::isnan(value)) {
      if (column->missing_line == 0) column->missing_line = line;
      return;
    }
    if (column->smallest_line == 0 || value < column->smallest) {
      column->smallest = value;
      column->smallest_line = line;
    }
    if (column->largest_line == 0 || value > column->largest) {
      column->largest = value;
      column->largest_line = line;
    }
    if (column->fraction_line == 0 && value != std::floor(value)) column->fraction_line = line;
  }

  struct Found {
    int64_t number;  // in the order of the file
    int64_t line;
  };

  // From the order of the file to one that does not depend on it.
  static void OrderCategories(const std::map<std::string, Found>& found, Column* column) {
    for (const auto& [text, ignored] : found) column->categories.push_back(text);
    std::sort(column->categories.begin(), column->categories.end(), CategoryBefore);
    std::vector<double> number(found.size());
    for (size_t i = 0; i < column->categories.size(); ++i) {
      const Found& entry = found.at(column->categories[i]);
      number[static_cast<size_t>(entry.number)] = static_cast<double>(i);
      column->category_lines.push_back(entry.line);
    }
    for (double& value : column->values) value = number[static_cast<size_t>(value)];
    if (found.empty()) return;
    column->largest = static_cast<double>(found.size() - 1);
    column->smallest_line = column->category_lines.front();
    column->largest_line = column->category_lines.back();
  }

  CsvReader& reader_;
  const std::vector<std::string>& names_;
  const std::vector<Wanted>& wanted_;
  const Missing missing_;
  const bool keep_;
  Columns read_;
  std::vector<std::map<std::string, Found>> found_;  // by wanted column
  std::vector<double> row_;
};

}  // namespace

bool IsMissing(absl::string_view text) {
  for (const char* word : {"", "?", "na", "n/a", "nan", "null", "none"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  return false;
}

std::optional<double> ParseNumber(absl::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::isfinite(number) ? std::optional<double>(number) : std::nullopt;
}

absl::StatusOr<std::vector<std::string>> ReadHeader(CsvReader& reader, bool header) {
  BATON_ASSIGN_OR_RETURN(const bool any, reader.Next());
  if (!any) {
    return absl::InvalidArgumentError(
        absl::StrCat(reader.path(), ": is empty; name a file with rows"));
  }
  const CsvRecord& record = reader.record();
  std::vector<std::string> names;
  for (size_t i = 0; i < record.fields.size(); ++i) {
    names.push_back(header ? std::string(record.fields[i]) : absl::StrCat(i + 1));
  }
  if (!header) {
    reader.Unread();
    return names;
  }
  if (!record.fault.empty()) return reader.ErrorAt(record.line, record.fault);
  std::set<absl::string_view> seen;
  for (const std::string& name : names) {
    if (seen.insert(name).second) continue;
    return reader.ErrorAt(record.line, absl::StrCat("two columns are named ", Shown(name),
                                                    "; rename one, or set `header: false` when "
                                                    "this line holds values"));
  }
  return names;
}

absl::StatusOr<Columns> ReadColumns(CsvReader& reader, const std::vector<std::string>& names,
                                    const std::vector<Wanted>& wanted, Missing missing, bool keep) {
  return Reader(reader, names, wanted, missing, keep).Run();
}

}  // namespace baton::table
