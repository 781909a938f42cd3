#include "common/table/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/idx/gzip_file.h"
#include "common/status.h"
#include "common/table/zip.h"
#include "common/utf8.h"

namespace baton::table {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie");

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr uint32_t kHeaderBytesMax = 1 << 16;
constexpr size_t kDimsMax = 32;
constexpr uint64_t kNpyValuesMax = uint64_t{1} << 30;
constexpr size_t kPieceValues = 1 << 16;

struct Type {
  const char* code;
  const char* name;
  size_t bytes;
  bool whole;
};
constexpr std::array<Type, 5> kTypes = {{{"<f4", "float32", 4, false},
                                         {"<f8", "float64", 8, false},
                                         {"<i4", "int32", 4, true},
                                         {"<i8", "int64", 8, true},
                                         {"|u1", "uint8", 1, true}}};

// The header: a Python dictionary of texts, booleans and a tuple of whole numbers.
struct Header {
  std::string type;
  std::optional<bool> fortran;
  std::optional<std::vector<uint64_t>> dims;
};

class HeaderParser {
 public:
  explicit HeaderParser(absl::string_view text) : text_(text) {}

  std::optional<Header> Parse() {
    Header header;
    if (!Take('{')) return std::nullopt;
    while (!Take('}')) {
      const std::optional<std::string> key = Text();
      if (!key || !Take(':') || !TakeValue(*key, &header)) return std::nullopt;
      if (Take(',')) continue;
      if (!Take('}')) return std::nullopt;
      break;
    }
    if (!At().empty() || !header.fortran || !header.dims) return std::nullopt;
    return header;
  }

 private:
  absl::string_view At() {
    while (!text_.empty() && absl::StrContains(" \t\n", text_.substr(0, 1))) {
      text_.remove_prefix(1);
    }
    return text_;
  }

  bool Take(char c) {
    if (At().empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::optional<std::string> Text() {
    if (At().empty() || (text_[0] != '\'' && text_[0] != '"')) return std::nullopt;
    const size_t end = text_.find(text_[0], 1);
    if (end == absl::string_view::npos) return std::nullopt;
    const std::string text(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return text;
  }

  bool TakeValue(const std::string& key, Header* header) {
    if (key == "descr") {
      if (const std::optional<std::string> type = Text()) {
        header->type = *type;
        return true;
      }
      // A record of several fields: a list, whose end the rest of the header does not need.
      header->type = "a record";
      header->fortran = false;
      header->dims.emplace();
      text_ = "}";
      return !At().empty();
    }
    if (key == "fortran_order") {
      header->fortran = absl::StartsWith(At(), "True");
      text_.remove_prefix(std::min<size_t>(text_.size(), *header->fortran ? 4 : 5));
      return true;
    }
    return key == "shape" && TakeDims(header);
  }

  bool TakeDims(Header* header) {
    if (!Take('(')) return false;
    header->dims.emplace();
    while (!Take(')')) {
      size_t digits = 0;
      while (digits < At().size() && text_[digits] >= '0' && text_[digits] <= '9') ++digits;
      uint64_t extent = 0;
      if (!absl::SimpleAtoi(text_.substr(0, digits), &extent)) return false;
      text_.remove_prefix(digits);
      header->dims->push_back(extent);
      Take(',');
    }
    return header->dims->size() <= kDimsMax;
  }

  absl::string_view text_;
};

std::string DimsText(const std::vector<uint64_t>& dims) {
  return absl::StrCat("(", absl::StrJoin(dims, ", "), ")");
}

// "(2, 0, 7)": where the value of a row-major index stands.
std::string PlaceText(const std::vector<uint64_t>& dims, uint64_t index) {
  std::vector<uint64_t> place(dims.size());
  for (size_t i = dims.size(); i-- > 0; index /= dims[i]) place[i] = index % dims[i];
  return DimsText(place);
}

class NpyReader {
 public:
  NpyReader(const std::string& name, ByteSource& bytes, Keep keep)
      : name_(name), bytes_(bytes), keep_(keep) {}

  absl::StatusOr<NpyArray> Run() {
    BATON_RETURN_IF_ERROR(ReadHeader());
    BATON_RETURN_IF_ERROR(ReadValues());
    BATON_RETURN_IF_ERROR(ExpectEnd());
    return std::move(array_);
  }

  absl::Status ReadHeader() {
    BATON_RETURN_IF_ERROR(ParseHeader());
    piece_.resize(std::min<uint64_t>(count_, kPieceValues) * type_.bytes);
    values_.resize(piece_.size() / type_.bytes);
    return absl::OkStatus();
  }

  // The next values, at most `count`; they are valid until the next call.
  absl::StatusOr<absl::Span<const double>> Next(uint64_t count) {
    const auto next = static_cast<size_t>(std::min({count, values_.size(), count_ - done_}));
    BATON_ASSIGN_OR_RETURN(const size_t got, bytes_.Read(piece_.data(), next * type_.bytes));
    if (got < next * type_.bytes) {
      return Lost(
          absl::StrCat("ends after ", done_ + got / type_.bytes, " of ", count_, " values"));
    }
    const auto values = absl::MakeSpan(values_).subspan(0, next);
    Convert(piece_.data(), values);
    BATON_RETURN_IF_ERROR(Take(values, done_));
    done_ += next;
    return values;
  }

  absl::Status ExpectEnd() {
    uint8_t extra = 0;
    BATON_ASSIGN_OR_RETURN(const size_t got, bytes_.Read(&extra, 1));
    if (got == 0) return absl::OkStatus();
    return Lost(absl::StrCat("has more bytes than its shape ", DimsText(summary_.dims), " needs"));
  }

  const NpySummary& summary() const { return summary_; }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": ", what));
  }
  absl::Status Lost(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat(name_, ": ", what, "; fetch or save the file again"));
  }

  absl::Status ParseHeader() {
    std::array<uint8_t, kMagicBytes + 6> start;
    BATON_ASSIGN_OR_RETURN(size_t got, bytes_.Read(start.data(), kMagicBytes + 2));
    if (got < kMagicBytes + 2 || std::memcmp(start.data(), kMagic, kMagicBytes) != 0) {
      return Bad("is no NPY file: its first bytes are not \\x93NUMPY; save it with numpy.save");
    }
    const uint8_t version = start[kMagicBytes];
    if (version < 1 || version > 3) {
      return Bad(absl::StrCat("has version ", int{version}, " of the format; 1 to 3 are known"));
    }
    const size_t width = version == 1 ? 2 : 4;
    BATON_ASSIGN_OR_RETURN(got, bytes_.Read(start.data(), width));
    uint32_t size = 0;
    for (size_t i = got; i-- > 0;) size = size << 8 | start[i];
    if (got == width && size > kHeaderBytesMax) {
      return Bad(absl::StrCat("announces a header of ", size, " bytes; the file is damaged"));
    }
    std::string text(size, '\0');
    BATON_ASSIGN_OR_RETURN(const size_t read,
                           bytes_.Read(reinterpret_cast<uint8_t*>(text.data()), size));
    if (got < width || read < size) return Lost("ends inside the header");
    const std::optional<Header> header =
        IsPlainText(text) ? HeaderParser(text).Parse() : std::nullopt;
    if (!header) return Bad("has a header that numpy does not write; save it with numpy.save");
    return CheckHeader(*header);
  }

  absl::Status CheckHeader(const Header& header) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const Type& t) { return header.type == t.code; });
    if (type == kTypes.end()) {
      return Bad(absl::StrCat("holds values of the type ", header.type.substr(0, 40),
                              "; save it as float32, float64, int32, int64 or uint8, "
                              "e.g. `numpy.save(file, x.astype('<f4'))`"));
    }
    if (*header.fortran && header.dims->size() > 1) {
      return Bad(
          "is in Fortran order (columns first); save it with "
          "`numpy.save(file, numpy.ascontiguousarray(x))`");
    }
    if (header.dims->empty()) return Bad("holds one number, not an array of samples");
    for (const uint64_t extent : *header.dims) {
      if (extent == 0) return Bad(absl::StrCat("is empty: ", DimsText(*header.dims)));
      if (count_ > kNpyValuesMax / extent) {
        return Bad(absl::StrCat("announces ", DimsText(*header.dims), " values, more than ",
                                kNpyValuesMax, "; the header is damaged or the file too large"));
      }
      count_ *= extent;
    }
    type_ = *type;
    summary_.dims = *header.dims;
    summary_.type = type_.name;
    summary_.whole = type_.whole;
    if (keep_ != Keep::kLabels || type_.whole) return absl::OkStatus();
    keep_ = Keep::kNothing;  // whoever asked for labels looks at the type
    return absl::OkStatus();
  }

  // Grows with what is really there: a damaged header must not reserve gigabytes.
  absl::Status ReadValues() {
    while (done_ < count_) BATON_RETURN_IF_ERROR(Next(kPieceValues).status());
    return absl::OkStatus();
  }

  template <class T>
  static void ConvertFrom(const uint8_t* bytes, absl::Span<double> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
      values[i] = static_cast<double>(value);
    }
  }

  void Convert(const uint8_t* bytes, absl::Span<double> values) const {
    if (type_.bytes == 1) return ConvertFrom<uint8_t>(bytes, values);
    if (type_.whole) {
      return type_.bytes == 4 ? ConvertFrom<int32_t>(bytes, values)
                              : ConvertFrom<int64_t>(bytes, values);
    }
    return type_.bytes == 4 ? ConvertFrom<float>(bytes, values)
                            : ConvertFrom<double>(bytes, values);
  }

  absl::Status Take(absl::Span<const double> values, uint64_t index) {
    for (const double value : values) {
      if (!std::isfinite(static_cast<float>(value))) {
        return Bad(absl::StrCat("the value at ", PlaceText(summary_.dims, index), " is ", value,
                                "; mend it, or leave its sample out"));
      }
      if (index == 0 || value < summary_.smallest) {
        summary_.smallest = value;
        summary_.smallest_at = index;
      }
      if (index == 0 || value > summary_.largest) {
        summary_.largest = value;
        summary_.largest_at = index;
      }
      ++index;
    }
    for (const double value : values) {
      if (keep_ == Keep::kValues) array_.values.push_back(static_cast<float>(value));
      if (keep_ == Keep::kLabels) {
        array_.labels.push_back(static_cast<int32_t>(std::clamp(value, -0x1p31, 0x1p31 - 1)));
      }
    }
    return absl::OkStatus();
  }

  const std::string& name_;
  ByteSource& bytes_;
  Keep keep_;
  Type type_ = kTypes[0];
  uint64_t count_ = 1;
  uint64_t done_ = 0;
  std::vector<uint8_t> piece_;
  std::vector<double> values_;  // of it
  NpyArray array_;
  NpySummary& summary_ = array_.summary;
};

}  // namespace

absl::StatusOr<NpyArray> ReadNpyFrom(const std::string& name, ByteSource& bytes, Keep keep) {
  return NpyReader(name, bytes, keep).Run();
}

namespace {

struct Source {
  std::string name;  // in messages
  std::unique_ptr<ByteSource> bytes;
};

absl::StatusOr<Source> OpenSource(const std::string& path, const std::string& member) {
  Source source{path, nullptr};
  if (!member.empty() || absl::EndsWith(path, ".npz")) {
    if (!member.empty()) absl::StrAppend(&source.name, ":", member);
    BATON_ASSIGN_OR_RETURN(source.bytes, OpenZipMember(path, member));
  } else {
    BATON_ASSIGN_OR_RETURN(source.bytes, idx::GzipFile::Open(path));
  }
  return source;
}

}  // namespace

absl::StatusOr<NpyArray> ReadNpy(const std::string& path, const std::string& member, Keep keep) {
  BATON_ASSIGN_OR_RETURN(const Source source, OpenSource(path, member));
  return ReadNpyFrom(source.name, *source.bytes, keep);
}

struct NpyStream::State {
  explicit State(Source opened)
      : source(std::move(opened)), reader(source.name, *source.bytes, Keep::kNothing) {}
  const Source source;
  NpyReader reader;
};

NpyStream::NpyStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
NpyStream::~NpyStream() = default;

absl::StatusOr<std::unique_ptr<NpyStream>> NpyStream::Open(const std::string& path,
                                                           const std::string& member) {
  BATON_ASSIGN_OR_RETURN(Source source, OpenSource(path, member));
  auto state = std::make_unique<State>(std::move(source));
  BATON_RETURN_IF_ERROR(state->reader.ReadHeader());
  return std::unique_ptr<NpyStream>(new NpyStream(std::move(state)));
}

const std::string& NpyStream::name() const { return state_->source.name; }
const std::vector<uint64_t>& NpyStream::dims() const { return state_->reader.summary().dims; }

absl::Status NpyStream::Read(absl::Span<float> values) {
  for (size_t done = 0; done < values.size();) {
    BATON_ASSIGN_OR_RETURN(const absl::Span<const double> piece,
                           state_->reader.Next(values.size() - done));
    BATON_CHECK(!piece.empty(), "values beyond the end of an array");
    for (const double value : piece) values[done++] = static_cast<float>(value);
  }
  return absl::OkStatus();
}

absl::Status NpyStream::ExpectEnd() { return state_->reader.ExpectEnd(); }

}  // namespace baton::table
