#include "common/text/pairs.h"

#include <cmath>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/table/csv.h"

namespace baton::text {

absl::StatusOr<std::vector<WordPair>> ReadPairs(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<table::CsvReader> reader,
                         table::CsvReader::Open(path, ','));
  std::vector<WordPair> pairs;
  BATON_ASSIGN_OR_RETURN(bool more, reader->Next());  // the header
  while (more) {
    BATON_ASSIGN_OR_RETURN(more, reader->Next());
    if (!more) break;
    const table::CsvRecord& record = reader->record();
    if (!record.fault.empty()) return reader->ErrorAt(record.line, record.fault);
    WordPair pair;
    const bool good = record.fields.size() == 3 && !record.fields[0].empty() &&
                      !record.fields[1].empty() &&
                      absl::SimpleAtod(record.fields[2], &pair.score) && std::isfinite(pair.score);
    if (!good) {
      return reader->ErrorAt(record.line,
                             "must be a word, a word and a number, such as tiger,cat,7.35");
    }
    if (pairs.size() == kPairsMax) {
      return reader->ErrorAt(record.line, absl::StrCat("more than ", kPairsMax, " pairs"));
    }
    pair.a = std::string(record.fields[0]);
    pair.b = std::string(record.fields[1]);
    pairs.push_back(std::move(pair));
  }
  if (pairs.size() >= 3) return pairs;
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": ", pairs.size(), " pairs behind the header; an order needs three at least"));
}

}  // namespace baton::text
