// Typed columns of a CSV file: numbers, or categories, which are texts that get numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/table/csv.h"

namespace baton::table {

inline constexpr int64_t kValuesMax = int64_t{1} << 29;    // of all columns: 4 GiB of doubles
inline constexpr size_t kCategoriesMax = size_t{1} << 20;  // of one column

// What becomes of a row in which a number is missing: an empty field, "?", "NA", "N/A", "NaN",
// "null" or "none". A category is never missing: an empty text is a category like others.
enum class Missing {
  kError,
  kSkip,  // the row is left out, and so is one that is damaged
  kKeep,  // the value is NaN
};

struct Wanted {
  size_t index = 0;  // of the column in the file
  bool category = false;
  bool required = false;  // missing with kKeep is an error all the same
};

struct Column {
  // One for each row; of a category its index in `categories`. Empty unless kept.
  std::vector<double> values;
  // Over the values that are there; 0 without any.
  double smallest = 0;
  double largest = 0;
  int64_t smallest_line = 0;  // of the file: where the first of these stands
  int64_t largest_line = 0;
  int64_t fraction_line = 0;  // where the first value that is not whole stands; 0: all are whole
  int64_t missing_line = 0;   // likewise, for NaN
  // In order: numbers by their value, then other texts by their bytes.
  std::vector<std::string> categories;
  std::vector<int64_t> category_lines;  // where each stands first
};

struct Columns {
  std::vector<Column> columns;  // as wanted
  int64_t rows = 0;             // without those left out
  int64_t skipped = 0;
  std::string first_skipped;  // "FILE:LINE: why"
};

bool IsMissing(absl::string_view field);
// Nothing for inf, nan and what overflows too.
std::optional<double> ParseNumber(absl::string_view field);

// The names of the columns: the first record, or without a header "1", "2", .. INVALID_ARGUMENT
// when the file is empty or two columns have one name.
absl::StatusOr<std::vector<std::string>> ReadHeader(CsvReader& reader, bool header);

// Reads all rows behind the header; `names` as ReadHeader gave them. Unless `keep`, memory does not
// grow with the rows. INVALID_ARGUMENT names the file, the line, the column and what stands there.
absl::StatusOr<Columns> ReadColumns(CsvReader& reader, const std::vector<std::string>& names,
                                    const std::vector<Wanted>& wanted, Missing missing, bool keep);

}  // namespace baton::table
