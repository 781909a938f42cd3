// Any bytes are rows or a mistake with its line; how they come and whether they are kept changes
// nothing.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "common/table/columns.h"
#include "tests/fuzz/table_bytes.h"

namespace baton::table {
namespace {

absl::StatusOr<Columns> Read(const uint8_t* data, size_t size, size_t piece, Missing missing,
                             bool keep) {
  CsvReader reader("f", std::make_unique<FuzzBytes>(data, size, piece), ',');
  BATON_ASSIGN_OR_RETURN(const std::vector<std::string> names, ReadHeader(reader, size % 2 == 0));
  std::vector<Wanted> wanted;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 4); ++i) wanted.push_back({i, i % 2 == 1});
  return ReadColumns(reader, names, wanted, missing, keep);
}

void CheckColumns(const Columns& read, Missing missing) {
  for (const Column& column : read.columns) {
    BATON_CHECK(column.values.size() == static_cast<size_t>(read.rows), "a value for each row");
    for (const double value : column.values) {
      BATON_CHECK(std::isfinite(value) || missing == Missing::kKeep, "numbers are finite");
      const bool inside = value >= column.smallest && value <= column.largest;
      BATON_CHECK(std::isnan(value) || inside, "between the smallest and the largest");
    }
  }
}

}  // namespace

static void Check(const uint8_t* data, size_t size) {
  for (const Missing missing : {Missing::kError, Missing::kSkip, Missing::kKeep}) {
    const absl::StatusOr<Columns> read = Read(data, size, 4096, missing, true);
    const absl::StatusOr<Columns> lean = Read(data, size, 3, missing, false);
    BATON_CHECK(read.status() == lean.status(), "the same mistake");
    if (!read.ok()) {
      BATON_CHECK(absl::StartsWith(read.status().message(), "f:"), "a mistake names the file");
      continue;
    }
    CheckColumns(*read, missing);
    BATON_CHECK(read->rows == lean->rows && read->skipped == lean->skipped, "the same rows");
  }
}

}  // namespace baton::table

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  baton::table::Check(data, size);
  return 0;
}
