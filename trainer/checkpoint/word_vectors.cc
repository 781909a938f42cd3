#include "trainer/checkpoint/word_vectors.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/idx/gzip_file.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
constexpr size_t kWordBytesMax = 1000;
constexpr int64_t kWordsMax = int64_t{1} << 24;
constexpr int64_t kWidthMax = 1 << 20;
constexpr int64_t kValuesMax = int64_t{1} << 31;
constexpr int kEnd = -1;

VectorFormat FormatOf(absl::string_view path) {
  absl::ConsumeSuffix(&path, ".gz");
  return absl::EndsWith(path, ".bin") ? VectorFormat::kBinary : VectorFormat::kText;
}

class Reader {
 public:
  Reader(std::string name, ByteSource& bytes, VectorFormat format)
      : name_(std::move(name)), bytes_(bytes), text_(format == VectorFormat::kText) {}

  absl::StatusOr<WordVectors> Read() {
    BATON_RETURN_IF_ERROR(ReadHeader());
    while (static_cast<int64_t>(vectors_.words.size()) < words_) {
      BATON_RETURN_IF_ERROR(text_ ? ReadTextRow() : ReadBinaryRow());
    }
    BATON_ASSIGN_OR_RETURN(int c, Next());
    while (c == '\n' || c == '\r') {
      BATON_ASSIGN_OR_RETURN(c, Next());
    }
    if (c != kEnd) return Wrong(absl::StrCat("it goes on behind its ", words_, " words"));
    return std::move(vectors_);
  }

 private:
  absl::Status ReadHeader() {
    int end = 0;
    BATON_ASSIGN_OR_RETURN(const std::string words, Field(&end));
    std::string width;
    if (end == ' ') {
      BATON_ASSIGN_OR_RETURN(width, Field(&end));
    }
    int64_t width_number = 0;
    if (end != '\n' || !absl::SimpleAtoi(words, &words_) ||
        !absl::SimpleAtoi(width, &width_number) || words_ < 1 || words_ > kWordsMax ||
        width_number < 1 || width_number > kWidthMax || words_ > kValuesMax / width_number) {
      return Wrong("must begin with a line of two numbers, words and width, such as 71291 200");
    }
    vectors_.width = static_cast<size_t>(width_number);
    return absl::OkStatus();
  }

  absl::Status ReadTextRow() {
    const int64_t line = line_;
    int end = 0;
    BATON_ASSIGN_OR_RETURN(std::string word, Field(&end));
    if (word.empty()) return Wrong(end == kEnd ? CutShort() : "a line without a word");
    size_t count = 0;
    while (end == ' ') {
      BATON_ASSIGN_OR_RETURN(const std::string field, Field(&end));
      if (field.empty() && end != ' ') break;  // word2vec.c ends a line with a space
      float value = 0;
      if (!absl::SimpleAtof(field, &value) || !std::isfinite(value)) {
        return WrongAt(line, absl::StrCat("'", field.substr(0, 40), "' is no finite number"));
      }
      if (count++ < vectors_.width) vectors_.values.push_back(value);
    }
    if (count != vectors_.width) {
      return WrongAt(line, absl::StrCat(count, " values of '", word.substr(0, 40), "' instead of ",
                                        vectors_.width));
    }
    vectors_.words.push_back(std::move(word));
    return absl::OkStatus();
  }

  absl::Status ReadBinaryRow() {
    BATON_ASSIGN_OR_RETURN(int c, Next());
    if (c == '\n') {
      BATON_ASSIGN_OR_RETURN(c, Next());
    }
    std::string word;
    while (c != ' ') {
      if (c == kEnd) return Wrong(CutShort());
      if (word.size() == kWordBytesMax) return Wrong("a word is longer than 1000 bytes");
      word.push_back(static_cast<char>(c));
      BATON_ASSIGN_OR_RETURN(c, Next());
    }
    if (word.empty()) return Wrong("a vector without a word");
    const size_t bytes = vectors_.width * sizeof(float);
    row_.resize(bytes);
    for (size_t i = 0; i < bytes; ++i) {
      BATON_ASSIGN_OR_RETURN(c, Next());
      if (c == kEnd) return Wrong(CutShort());
      row_[i] = static_cast<char>(c);
    }
    const size_t first = vectors_.values.size();
    vectors_.values.resize(first + vectors_.width);
    std::memcpy(&vectors_.values[first], row_.data(), bytes);
    for (size_t i = first; i < vectors_.values.size(); ++i) {
      if (!std::isfinite(vectors_.values[i])) {
        return Wrong(absl::StrCat("a value of '", word.substr(0, 40), "' is no finite number"));
      }
    }
    vectors_.words.push_back(std::move(word));
    return absl::OkStatus();
  }

  std::string CutShort() const {
    return absl::StrCat("it is cut short: ", vectors_.words.size(), " of ", words_, " words");
  }

  // Up to the next space, line end or end of the file, which `*end` becomes.
  absl::StatusOr<std::string> Field(int* end) {
    std::string field;
    while (true) {
      BATON_ASSIGN_OR_RETURN(const int c, Next());
      if (c == '\r') continue;
      if (c == ' ' || c == '\t' || c == '\n' || c == kEnd) {
        *end = c == '\t' ? ' ' : c;
        return field;
      }
      if (field.size() == kWordBytesMax) return Wrong("a word is longer than 1000 bytes");
      field.push_back(static_cast<char>(c));
    }
  }

  absl::StatusOr<int> Next() {
    if (at_ == available_) {
      buffer_.resize(kBufferBytes);
      BATON_ASSIGN_OR_RETURN(available_, bytes_.Read(buffer_.data(), buffer_.size()));
      at_ = 0;
      if (available_ == 0) return kEnd;
    }
    ++offset_;
    const uint8_t c = buffer_[at_++];
    if (c == '\n') ++line_;
    return int{c};
  }

  absl::Status WrongAt(int64_t line, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", line, ": ", what));
  }
  absl::Status Wrong(const std::string& what) const {
    if (text_) return WrongAt(line_, what);
    return absl::InvalidArgumentError(absl::StrCat(name_, ": at byte ", offset_, ": ", what));
  }

  const std::string name_;
  ByteSource& bytes_;
  const bool text_;
  std::vector<uint8_t> buffer_;
  size_t at_ = 0, available_ = 0;
  int64_t offset_ = 0, line_ = 1;
  int64_t words_ = 0;
  std::vector<char> row_;
  WordVectors vectors_;
};

}  // namespace

bool IsVectorFile(absl::string_view path) {
  absl::ConsumeSuffix(&path, ".gz");
  return absl::EndsWith(path, ".txt") || absl::EndsWith(path, ".vec") ||
         absl::EndsWith(path, ".bin");
}

absl::StatusOr<WordVectors> ReadVectorsFrom(const std::string& name, ByteSource& bytes,
                                            VectorFormat format) {
  return Reader(name, bytes, format).Read();
}

absl::StatusOr<WordVectors> ReadVectors(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<idx::GzipFile> file, idx::GzipFile::Open(path));
  return ReadVectorsFrom(path, *file, FormatOf(path));
}

absl::StatusOr<int64_t> FillVectors(const WordVectors& vectors,
                                    const std::vector<std::string>& words, size_t width,
                                    float* table) {
  if (vectors.width != width) {
    return absl::InvalidArgumentError(absl::StrCat("its vectors have ", vectors.width,
                                                   " values, the embedding's width is ", width,
                                                   "; make it ", vectors.width));
  }
  std::map<absl::string_view, size_t> rows;
  for (size_t i = 0; i < vectors.words.size(); ++i) rows.emplace(vectors.words[i], i);
  int64_t found = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto it = rows.find(words[i]);
    if (it == rows.end()) continue;
    std::memcpy(table + i * width, &vectors.values[it->second * width], width * sizeof(float));
    ++found;
  }
  if (found > 0) return found;
  return absl::InvalidArgumentError(absl::StrCat("none of its ", vectors.words.size(),
                                                 " words is among the text's ", words.size(),
                                                 "; is it of another language, or in capitals?"));
}

absl::Status WriteVectors(const std::string& path, VectorFormat format,
                          const std::vector<std::string>& words, const float* table, size_t width) {
  const std::string header = absl::StrCat(words.size(), " ", width, "\n");
  std::vector<absl::string_view> pieces = {header};
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    const float* row = table + i * width;
    if (format == VectorFormat::kText) {
      text += words[i];
      for (size_t c = 0; c < width; ++c) absl::StrAppendFormat(&text, " %.9g", row[c]);
      text += '\n';
      continue;
    }
    pieces.push_back(words[i]);
    pieces.push_back(" ");
    pieces.push_back({reinterpret_cast<const char*>(row), width * sizeof(float)});
    pieces.push_back("\n");
  }
  pieces.push_back(text);
  return WriteFileAtomically(path, pieces);
}

}  // namespace baton::trainer
