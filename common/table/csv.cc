#include "common/table/csv.h"

#include "absl/strings/str_cat.h"
#include "common/idx/gzip_file.h"
#include "common/status.h"
#include "common/utf8.h"

namespace baton::table {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
constexpr int kEnd = -1;

bool IsSpace(int c) { return c == ' ' || c == '\t'; }

}  // namespace

absl::StatusOr<std::unique_ptr<CsvReader>> CsvReader::Open(const std::string& path,
                                                           char delimiter) {
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<idx::GzipFile> file, idx::GzipFile::Open(path));
  return std::make_unique<CsvReader>(path, std::move(file), delimiter);
}

CsvReader::CsvReader(std::string path, std::unique_ptr<ByteSource> bytes, char delimiter)
    : path_(std::move(path)),
      bytes_(std::move(bytes)),
      delimiter_(delimiter),
      buffer_(kBufferBytes) {}

absl::Status CsvReader::ErrorAt(int64_t line, absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ":", line, ": ", what));
}

absl::Status CsvReader::Refill() {
  position_ = 0;
  BATON_ASSIGN_OR_RETURN(available_, bytes_->Read(buffer_.data(), buffer_.size()));
  ended_ = available_ == 0;
  return absl::OkStatus();
}

absl::StatusOr<int> CsvReader::Peek() {
  if (position_ == available_ && !ended_) BATON_RETURN_IF_ERROR(Refill());
  return ended_ ? kEnd : int{buffer_[position_]};
}

// What stands before the first line: UTF-8's mark is dropped, another encoding's refused.
absl::Status CsvReader::CheckMark() {
  begun_ = true;
  BATON_RETURN_IF_ERROR(Refill());
  const auto byte = [&](size_t i) { return i < available_ ? int{buffer_[i]} : kEnd; };
  if (byte(0) == 0xef && byte(1) == 0xbb && byte(2) == 0xbf) position_ = 3;
  if ((byte(0) == 0xff && byte(1) == 0xfe) || (byte(0) == 0xfe && byte(1) == 0xff)) {
    return ErrorAt(1, "is UTF-16; convert it, e.g. `iconv -f UTF-16 -t UTF-8`");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvReader::Next() {
  if (unread_) {
    unread_ = false;
    return true;
  }
  if (!begun_) BATON_RETURN_IF_ERROR(CheckMark());
  while (true) {
    BATON_ASSIGN_OR_RETURN(const int next, Peek());
    if (next == kEnd) return false;
    bool blank = false;
    BATON_RETURN_IF_ERROR(ReadRecord(&blank));
    if (!blank) return true;
  }
}

absl::Status CsvReader::ReadRecord(bool* blank) {
  text_.clear();
  at_.clear();
  record_.line = line_;
  record_.fault.clear();
  for (bool last = false; !last;) BATON_RETURN_IF_ERROR(ReadField(&last));
  *blank = at_.size() == 1 && text_.empty();
  record_.fields.clear();
  for (const auto& [begin, end] : at_) {
    record_.fields.push_back(absl::string_view(text_).substr(begin, end - begin));
  }
  if (record_.fault.empty() && !IsPlainText(text_)) {
    record_.fault = "is no UTF-8 text; convert the file, e.g. `iconv -f LATIN1 -t UTF-8`";
  }
  return absl::OkStatus();
}

void CsvReader::EndField(bool quoted, size_t begin) {
  size_t end = text_.size();
  while (!quoted && end > begin && IsSpace(text_[end - 1])) --end;
  text_.resize(end);
  at_.emplace_back(begin, end);
}

absl::Status CsvReader::ReadField(bool* last) {
  const size_t begin = text_.size();
  bool quoted = false;
  bool begun = false;
  while (true) {
    BATON_ASSIGN_OR_RETURN(const int c, Peek());
    if (c == kEnd || c == '\n' || c == '\r') {
      EndField(quoted, begin);
      *last = true;
      return EndLine(c);
    }
    ++position_;
    if (c == static_cast<unsigned char>(delimiter_)) break;
    if (c == '"' && !begun) {
      BATON_RETURN_IF_ERROR(ReadQuoted());
      quoted = begun = true;
    } else if (IsSpace(c) && (!begun || quoted)) {
      continue;  // around a field
    } else if (quoted) {
      record_.fault = "has text after a closing quote; write \"\" for a quote inside of quotes";
    } else {
      begun = true;
      text_.push_back(static_cast<char>(c));
    }
    if (text_.size() > kRecordBytesMax) {
      return ErrorAt(record_.line, absl::StrCat("a record of more than ", kRecordBytesMax,
                                                " bytes; name a file with shorter lines"));
    }
  }
  EndField(quoted, begin);
  if (at_.size() < kFieldsMax) return absl::OkStatus();
  return ErrorAt(record_.line, absl::StrCat("more than ", kFieldsMax, " fields; use fewer"));
}

// After the opening quote, up to and with the closing one.
absl::Status CsvReader::ReadQuoted() {
  const int64_t begin_line = line_;
  while (true) {
    BATON_ASSIGN_OR_RETURN(const int c, Peek());
    if (c == kEnd || text_.size() > kRecordBytesMax) {
      return ErrorAt(begin_line, c == kEnd ? "a quote is opened here and never closed"
                                           : "a quote is opened here and not closed within 1 MiB");
    }
    ++position_;
    if (c == '"') {
      BATON_ASSIGN_OR_RETURN(const int next, Peek());
      if (next != '"') return absl::OkStatus();
      ++position_;
    }
    if (c == '\n') ++line_;
    text_.push_back(static_cast<char>(c));
  }
}

// CR LF is one line end.
absl::Status CsvReader::EndLine(int first) {
  if (first == kEnd) return absl::OkStatus();
  ++position_;
  ++line_;
  if (first != '\r') return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const int next, Peek());
  if (next == '\n') ++position_;
  return absl::OkStatus();
}

}  // namespace baton::table
