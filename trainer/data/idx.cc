#include "trainer/data/idx.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "trainer/data/gzip_file.h"

namespace baton::trainer {

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
        "00 08 and a number of dimensions (03 for images, 01 for labels)",
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
          absl::StrCat(reader.path, ": dimension ", i, " at byte ", 4 + 4 * i, " is 0"));
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

// Grows with what is really there: a damaged header must not reserve gigabytes.
absl::Status ReadValues(Reader& reader, uint64_t size, std::vector<uint8_t>* values) {
  constexpr uint64_t kPieceBytes = 1 << 20;
  while (values->size() < size) {
    const size_t done = values->size();
    const auto piece = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, size - done));
    values->resize(done + piece);
    BATON_ASSIGN_OR_RETURN(const size_t got, reader.file.Read(values->data() + done, piece));
    reader.offset += got;
    if (got == piece) continue;
    return absl::DataLossError(absl::StrCat(reader.path, ": ends at byte ", reader.offset,
                                            " after ", done + got, " of ", size,
                                            " values; fetch the file again"));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const IdxOptions& options, const IdxArray& labels) {
  const size_t header_bytes = 4 + 4 * labels.dims.size();
  for (size_t i = 0; i < labels.values.size(); ++i) {
    if (labels.values[i] < options.classes) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        options.labels, ": the label at byte ", header_bytes + i, " is ",
        static_cast<int>(labels.values[i]), ", but the model has ", options.classes,
        " classes (0 to ", options.classes - 1, "); check the file, or the last layer"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<GzipFile> file, GzipFile::Open(path));
  Reader reader{path, *file};
  IdxArray array;
  BATON_ASSIGN_OR_RETURN(array.dims, ReadHeader(reader));
  uint64_t size = 1;
  for (uint32_t extent : array.dims) size *= extent;
  BATON_RETURN_IF_ERROR(ReadValues(reader, size, &array.values));
  BATON_RETURN_IF_ERROR(reader.ExpectEnd());
  return array;
}

absl::StatusOr<Dataset> ReadIdxDataset(const IdxOptions& options) {
  BATON_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(options.images));
  BATON_ASSIGN_OR_RETURN(const IdxArray labels, ReadIdx(options.labels));
  if (images.dims.size() != 3 && images.dims.size() != 4) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.images, ": has ", images.dims.size(), " dimensions (",
        absl::StrJoin(images.dims, " x "), "); images have 3 (count, height, width) or 4"));
  }
  if (labels.dims.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(options.labels, ": has ", labels.dims.size(),
                                                   " dimensions; a file of labels has 1"));
  }
  if (images.dims[0] != labels.dims[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.images, " has ", images.dims[0], " images but ", options.labels,
                     " has ", labels.dims[0], " labels; they do not belong together"));
  }
  BATON_RETURN_IF_ERROR(CheckLabels(options, labels));

  Dataset dataset;
  dataset.count = images.dims[0];
  if (images.dims.size() == 3) dataset.sample_shape.push_back(1);
  dataset.sample_shape.insert(dataset.sample_shape.end(), images.dims.begin() + 1,
                              images.dims.end());
  dataset.bytes = std::move(images.values);
  dataset.labels.assign(labels.values.begin(), labels.values.end());
  dataset.divide_by = options.divide_by;
  return dataset;
}

}  // namespace baton::trainer
