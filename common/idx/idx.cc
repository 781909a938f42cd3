#include "common/idx/idx.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "common/idx/gzip_file.h"
#include "common/status.h"

namespace baton::idx {

namespace {

constexpr uint64_t kValuesMax = uint64_t{4} << 30;
constexpr uint8_t kUnsignedByte = 0x08;

// Reads a file and knows how far it came. Bytes are counted unpacked.
struct Reader {
  const std::string& path;
  GzipFile& file;
  uint64_t offset = 0;

  absl::Status Read(uint8_t* bytes, size_t size) {
    BATON_ASSIGN_OR_RETURN(const size_t got, file.Read(bytes, size));
    if (got == size) {
      offset += size;
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat(path, ": ends at byte ", offset + got,
                                            ", inside the header; fetch the file again"));
  }

  // Reading on also checks the checksum at the end of a gzip file.
  absl::Status ExpectEnd() {
    uint8_t extra;
    BATON_ASSIGN_OR_RETURN(const size_t got, file.Read(&extra, 1));
    if (got == 0) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(path,
                                            ": has more values than its header announces, from "
                                            "byte ",
                                            offset, " on; fetch the file again"));
  }
};

uint32_t BigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
         uint32_t{bytes[3]};
}

absl::StatusOr<std::vector<uint32_t>> ReadHeader(Reader& reader) {
  std::array<uint8_t, 4> magic;
  BATON_RETURN_IF_ERROR(reader.Read(magic.data(), magic.size()));
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != kUnsignedByte || magic[3] == 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: is no IDX file of unsigned bytes: bytes 0 to 3 are %02x %02x %02x %02x, expected 00 "
        "00 08 and a number of dimensions (03 for images, 01 for labels); name the right file, or "
        "fetch it again",
        reader.path, magic[0], magic[1], magic[2], magic[3]));
  }
  std::vector<uint32_t> dims(magic[3]);
  uint64_t values = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    std::array<uint8_t, 4> bytes;
    BATON_RETURN_IF_ERROR(reader.Read(bytes.data(), bytes.size()));
    dims[i] = BigEndian(bytes.data());
    if (dims[i] == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader.path, ": dimension ", i, " at byte ", 4 + 4 * i,
                       " is 0: it holds no values; name another file"));
    }
    if (values > kValuesMax / dims[i]) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader.path, ": the dimensions up to byte ", 8 + 4 * i,
                       " announce more than 4 GiB of values; the header is damaged or the file too "
                       "large for this reader"));
    }
    values *= dims[i];
  }
  return dims;
}

constexpr uint64_t kPieceBytes = 1 << 20;

absl::Status ReadPiece(Reader& reader, uint64_t done, uint64_t size, absl::Span<uint8_t> piece) {
  BATON_ASSIGN_OR_RETURN(const size_t got, reader.file.Read(piece.data(), piece.size()));
  reader.offset += got;
  if (got == piece.size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(reader.path, ": ends at byte ", reader.offset, " after ",
                                          done + got, " of ", size,
                                          " values; fetch the file again"));
}

// Grows with what is really there: a damaged header must not reserve gigabytes.
absl::Status ReadValues(Reader& reader, uint64_t size, std::vector<uint8_t>* values) {
  while (values->size() < size) {
    const size_t done = values->size();
    values->resize(done + std::min<uint64_t>(kPieceBytes, size - done));
    BATON_RETURN_IF_ERROR(ReadPiece(reader, done, size, absl::MakeSpan(*values).subspan(done)));
  }
  return absl::OkStatus();
}

uint64_t ValueCount(const std::vector<uint32_t>& dims) {
  uint64_t count = 1;
  for (const uint32_t extent : dims) count *= extent;
  return count;
}

uint64_t HeaderBytes(const std::vector<uint32_t>& dims) { return 4 + 4 * dims.size(); }

// Takes in values that stand from byte `offset` on.
void Note(absl::Span<const uint8_t> values, uint64_t offset, IdxSummary* summary) {
  const auto largest = std::max_element(values.begin(), values.end());
  if (largest == values.end() || (summary->largest_at > 0 && *largest <= summary->largest)) return;
  summary->largest = *largest;
  summary->largest_at = offset + static_cast<uint64_t>(largest - values.begin());
}

}  // namespace

struct IdxStream::State {
  State(std::string name, std::unique_ptr<GzipFile> opened)
      : path(std::move(name)), file(std::move(opened)), reader{path, *file} {}
  const std::string path;
  const std::unique_ptr<GzipFile> file;
  Reader reader;
  std::vector<uint32_t> dims;
  uint64_t done = 0;
};

IdxStream::IdxStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
IdxStream::~IdxStream() = default;

absl::StatusOr<std::unique_ptr<IdxStream>> IdxStream::Open(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<GzipFile> file, GzipFile::Open(path));
  auto state = std::make_unique<State>(path, std::move(file));
  BATON_ASSIGN_OR_RETURN(state->dims, ReadHeader(state->reader));
  return std::unique_ptr<IdxStream>(new IdxStream(std::move(state)));
}

const std::vector<uint32_t>& IdxStream::dims() const { return state_->dims; }

absl::Status IdxStream::Read(absl::Span<uint8_t> values) {
  BATON_RETURN_IF_ERROR(ReadPiece(state_->reader, state_->done, ValueCount(state_->dims), values));
  state_->done += values.size();
  return absl::OkStatus();
}

absl::Status IdxStream::ExpectEnd() { return state_->reader.ExpectEnd(); }

absl::StatusOr<IdxArray> ReadIdx(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<GzipFile> file, GzipFile::Open(path));
  Reader reader{path, *file};
  IdxArray array;
  BATON_ASSIGN_OR_RETURN(array.dims, ReadHeader(reader));
  BATON_RETURN_IF_ERROR(ReadValues(reader, ValueCount(array.dims), &array.values));
  BATON_RETURN_IF_ERROR(reader.ExpectEnd());
  return array;
}

absl::StatusOr<IdxSummary> SummarizeIdx(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<GzipFile> file, GzipFile::Open(path));
  Reader reader{path, *file};
  IdxSummary summary;
  BATON_ASSIGN_OR_RETURN(summary.dims, ReadHeader(reader));
  const uint64_t size = ValueCount(summary.dims);
  std::vector<uint8_t> values(std::min(kPieceBytes, size));
  for (uint64_t done = 0; done < size;) {
    const auto piece = absl::MakeSpan(values).subspan(0, std::min(kPieceBytes, size - done));
    const uint64_t offset = reader.offset;
    BATON_RETURN_IF_ERROR(ReadPiece(reader, done, size, piece));
    Note(piece, offset, &summary);
    done += piece.size();
  }
  BATON_RETURN_IF_ERROR(reader.ExpectEnd());
  return summary;
}

IdxSummary SummaryOf(const IdxArray& array) {
  IdxSummary summary{array.dims};
  Note(array.values, HeaderBytes(array.dims), &summary);
  return summary;
}

}  // namespace baton::idx
