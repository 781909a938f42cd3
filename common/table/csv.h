// Comma-separated values (RFC 4180) as they occur: any delimiter, LF, CRLF or CR, a byte order
// mark, blank lines, spaces around a field, quotes that hold delimiters and line breaks; plain or
// gzip. Reads in order, in memory for one record.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/byte_source.h"

namespace baton::table {

inline constexpr size_t kRecordBytesMax = 1 << 20;
inline constexpr size_t kFieldsMax = 1 << 16;

struct CsvRecord {
  int64_t line = 0;  // from 1: where it begins
  std::vector<absl::string_view> fields;
  std::string fault;  // what is wrong with this record alone; empty: nothing
};

// Thread-compatible.
class CsvReader {
 public:
  // NOT_FOUND when the file cannot be opened.
  static absl::StatusOr<std::unique_ptr<CsvReader>> Open(const std::string& path, char delimiter);
  // Of any bytes; `path` is their name in messages.
  CsvReader(std::string path, std::unique_ptr<ByteSource> bytes, char delimiter);

  // The next record that is not a blank line; false at the end. An error (file:line: what is wrong)
  // when nothing after it could be trusted: DATA_LOSS for gzip's checksum, INVALID_ARGUMENT for a
  // record or quote that doesn't end.
  absl::StatusOr<bool> Next();
  // Valid until Next.
  const CsvRecord& record() const { return record_; }
  // The next call of Next gives this record again.
  void Unread() { unread_ = true; }

  const std::string& path() const { return path_; }
  // "FILE:LINE: what".
  absl::Status ErrorAt(int64_t line, absl::string_view what) const;

 private:
  absl::Status Refill();
  absl::StatusOr<int> Peek();  // -1 at the end
  absl::Status ReadRecord(bool* blank);
  absl::Status ReadField(bool* last);
  absl::Status ReadQuoted();
  absl::Status EndLine(int first);
  absl::Status CheckMark();
  void EndField(bool quoted, size_t begin);

  const std::string path_;
  const std::unique_ptr<ByteSource> bytes_;
  const char delimiter_;
  std::vector<uint8_t> buffer_;
  size_t position_ = 0;
  size_t available_ = 0;  // in the buffer, from its begin
  bool ended_ = false;
  bool begun_ = false;
  bool unread_ = false;
  int64_t line_ = 1;
  std::string text_;                           // of all fields of the record
  std::vector<std::pair<size_t, size_t>> at_;  // each field in it: begin, end
  CsvRecord record_;
};

}  // namespace baton::table
