#include "worker/checkpoint/whole_file.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

using nlohmann::json;

// zip, APPNOTE 6.3.10: sections 4.3.12, 4.3.14 to 4.3.16.
constexpr absl::string_view kZipMember("PK\x03\x04", 4);
constexpr absl::string_view kZipEntry("PK\x01\x02", 4);
constexpr absl::string_view kZipEnd("PK\x05\x06", 4);
constexpr absl::string_view kZip64End("PK\x06\x06", 4);
constexpr absl::string_view kZip64Locator("PK\x06\x07", 4);
constexpr int64_t kZipEndBytes = 22;
constexpr int64_t kZip64EndBytes = 56;
constexpr int64_t kZip64LocatorBytes = 20;
constexpr size_t kZipEntryBytes = 46;
constexpr int64_t kZipCommentBytesMax = 0xffff;
constexpr int64_t kZipDirectoryBytesMax = 256 << 20;

constexpr absl::string_view kHdf5("\x89HDF\r\n\x1a\n", 8);
constexpr absl::string_view kGzip("\x1f\x8b", 2);
constexpr absl::string_view kXz(
    "\xfd"
    "7zXZ\0",
    6);
constexpr int64_t kSafetensorsHeaderBytesMax = 100 << 20;  // as its library has it
// Beyond these a file is not unpacked only to be looked at.
constexpr int64_t kGzipBytesMax = int64_t{4} << 30;
constexpr uint64_t kUnpackedBytesMax = uint64_t{16} << 30;

FileCheck Whole() { return {Wholeness::kWhole, ""}; }
FileCheck Unknown() { return {Wholeness::kUnknown, ""}; }
FileCheck Partial(std::string problem) { return {Wholeness::kPartial, std::move(problem)}; }

class Bytes {
 public:
  Bytes(int file, int64_t size) : file_(file), size_(size) {}

  int64_t size() const { return size_; }

  // Nothing when they do not lie in the file.
  std::optional<std::string> Read(int64_t offset, int64_t count) const {
    if (offset < 0 || count < 0 || offset > size_ || count > size_ - offset) return std::nullopt;
    std::string bytes(static_cast<size_t>(count), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = pread(file_, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset + static_cast<int64_t>(done)));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return std::nullopt;
      done += static_cast<size_t>(n);
    }
    return bytes;
  }

 private:
  const int file_;
  const int64_t size_;
};

// Little-endian; `bytes` has them.
uint64_t NumberAt(const std::string& bytes, size_t offset, size_t width) {
  uint64_t number = 0;
  for (size_t i = 0; i < width; ++i) {
    number |= uint64_t{static_cast<unsigned char>(bytes[offset + i])} << (8 * i);
  }
  return number;
}

// A number that is to be a place in the file.
int64_t PlaceAt(const std::string& bytes, size_t offset, size_t width) {
  const uint64_t number = NumberAt(bytes, offset, width);
  return number > static_cast<uint64_t>(INT64_MAX) ? -1 : static_cast<int64_t>(number);
}

bool IsAt(const std::string& bytes, size_t offset, absl::string_view mark) {
  return bytes.size() >= offset + mark.size() &&
         absl::string_view(bytes).substr(offset, mark.size()) == mark;
}

struct ZipDirectory {
  int64_t offset = -1;
  int64_t bytes = -1;
  uint64_t entries = 0;
  int64_t end = -1;  // where the record that ends it begins
};

std::optional<ZipDirectory> FindZipDirectory(const Bytes& file) {
  const int64_t tail_bytes = std::min(file.size(), kZipEndBytes + kZipCommentBytesMax);
  const std::optional<std::string> tail = file.Read(file.size() - tail_bytes, tail_bytes);
  if (!tail || tail_bytes < kZipEndBytes) return std::nullopt;
  for (int64_t at = tail_bytes - kZipEndBytes; at >= 0; --at) {
    const auto from = static_cast<size_t>(at);
    if (!IsAt(*tail, from, kZipEnd)) continue;
    const int64_t comment = PlaceAt(*tail, from + 20, 2);
    if (at + kZipEndBytes + comment != tail_bytes) continue;
    ZipDirectory directory;
    directory.entries = NumberAt(*tail, from + 10, 2);
    directory.bytes = PlaceAt(*tail, from + 12, 4);
    directory.offset = PlaceAt(*tail, from + 16, 4);
    directory.end = file.size() - tail_bytes + at;
    const auto locator = file.Read(directory.end - kZip64LocatorBytes, kZip64LocatorBytes);
    if (!locator || !IsAt(*locator, 0, kZip64Locator)) return directory;
    directory.end = PlaceAt(*locator, 8, 8);
    const auto record = file.Read(directory.end, kZip64EndBytes);
    if (!record || !IsAt(*record, 0, kZip64End)) return std::nullopt;
    directory.entries = NumberAt(*record, 32, 8);
    directory.bytes = PlaceAt(*record, 40, 8);
    directory.offset = PlaceAt(*record, 48, 8);
    return directory;
  }
  return std::nullopt;
}

FileCheck CheckZip(const Bytes& file) {
  const std::optional<ZipDirectory> directory = FindZipDirectory(file);
  if (!directory) return Partial("is a zip archive without its end");
  const FileCheck damaged = Partial("is a zip archive with a damaged directory");
  if (directory->offset < 0 || directory->bytes < 0 || directory->offset > directory->end ||
      directory->bytes != directory->end - directory->offset) {
    return damaged;
  }
  if (directory->bytes > kZipDirectoryBytesMax) return Unknown();
  const auto entries = file.Read(directory->offset, directory->bytes);
  if (!entries) return damaged;
  uint64_t count = 0;
  for (size_t at = 0; at < entries->size(); ++count) {
    if (entries->size() - at < kZipEntryBytes || !IsAt(*entries, at, kZipEntry)) return damaged;
    const int64_t member = PlaceAt(*entries, at + 42, 4);
    if (member >= directory->offset && member != 0xffffffff) return damaged;
    at += kZipEntryBytes + NumberAt(*entries, at + 28, 2) + NumberAt(*entries, at + 30, 2) +
          NumberAt(*entries, at + 32, 2);
    if (at > entries->size()) return damaged;
  }
  return count == directory->entries ? Whole() : damaged;
}

FileCheck CheckSafetensors(const Bytes& file) {
  const auto length = file.Read(0, 8);
  if (!length) return Partial("is shorter than a header of safetensors");
  const int64_t header_bytes = PlaceAt(*length, 0, 8);
  if (header_bytes < 2 || header_bytes > kSafetensorsHeaderBytesMax) {
    return Partial("has no header of safetensors");
  }
  const auto text = file.Read(8, header_bytes);
  if (!text) return Partial("ends within its header");
  const json header = json::parse(*text, nullptr, false);
  if (!header.is_object()) return Partial("has no header of safetensors");
  uint64_t end = 0;
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = tensor.is_object() ? tensor.find("data_offsets") : tensor.end();
    if (offsets == tensor.end() || !offsets->is_array() || offsets->size() != 2 ||
        !(*offsets)[1].is_number_unsigned()) {
      return Partial("has no header of safetensors");
    }
    end = std::max(end, (*offsets)[1].get<uint64_t>());
  }
  if (end != static_cast<uint64_t>(file.size() - 8 - header_bytes)) {
    return Partial("does not have the bytes that its header names");
  }
  return Whole();
}

// HDF5 file format specification 3.0, section II.A: the superblock's end-of-file address.
FileCheck CheckHdf5(const Bytes& file) {
  const auto head = file.Read(0, std::min<int64_t>(file.size(), 128));
  if (!head || head->size() < 16) return Partial("ends within its superblock");
  const int version = static_cast<unsigned char>((*head)[8]);
  size_t at;
  size_t width;
  if (version == 0 || version == 1) {
    width = static_cast<unsigned char>((*head)[13]);
    at = version == 0 ? 24 : 28;
  } else if (version == 2 || version == 3) {
    width = static_cast<unsigned char>((*head)[9]);
    at = 12;
    // Bits 0 and 2 say that a program has it open for writing.
    if (version == 3 && ((*head)[11] & 5) != 0) return Partial("was not closed by its program");
  } else {
    return Unknown();
  }
  if (width != 2 && width != 4 && width != 8) return Unknown();
  if (head->size() < at + 3 * width) return Partial("ends within its superblock");
  const int64_t base = PlaceAt(*head, at, width);
  const int64_t end = PlaceAt(*head, at + 2 * width, width);
  if (base != 0) return Unknown();
  return end == file.size() ? Whole() : Partial("does not end where its superblock says");
}

// Members of gzip files in a row, unpacked into nowhere.
class Unpacker {
 public:
  Unpacker() { usable_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Unpacker() {
    if (usable_) inflateEnd(&stream_);
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // False where the bytes can't be unpacked.
  bool Take(std::string* bytes) {
    stream_.next_in = reinterpret_cast<Bytef*>(bytes->data());
    stream_.avail_in = static_cast<uInt>(bytes->size());
    while (usable_ && unpacked_ <= kUnpackedBytesMax) {
      if (ended_ && stream_.avail_in == 0) return true;
      if (ended_) inflateReset(&stream_);
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      unpacked_ += out_.size() - stream_.avail_out;
      ended_ = result == Z_STREAM_END;
      if (result == Z_BUF_ERROR) return true;  // wants more
      if (result != Z_OK && !ended_) return false;
    }
    return true;
  }

  bool ended() const { return ended_; }
  bool is_too_much() const { return !usable_ || unpacked_ > kUnpackedBytesMax; }

 private:
  z_stream stream_{};
  std::string out_ = std::string(256 << 10, '\0');
  uint64_t unpacked_ = 0;
  bool usable_ = false;
  bool ended_ = false;
};

FileCheck CheckGzip(const Bytes& file) {
  if (file.size() > kGzipBytesMax) return Unknown();
  Unpacker unpacker;
  for (int64_t offset = 0; offset < file.size() && !unpacker.is_too_much();) {
    auto block = file.Read(offset, std::min<int64_t>(file.size() - offset, 256 << 10));
    if (!block) return Partial("can't be read");
    offset += static_cast<int64_t>(block->size());
    if (!unpacker.Take(&*block)) return Partial("can't be unpacked to its end");
  }
  if (unpacker.is_too_much()) return Unknown();
  return unpacker.ended() ? Whole() : Partial("ends within its packed bytes");
}

// The footer of the last stream, xz file format 1.0.4, section 2.1.2.
FileCheck CheckXz(const Bytes& file) {
  const auto footer = file.Read(file.size() - 12, 12);
  if (!footer || !absl::EndsWith(*footer, "YZ")) return Partial("ends within its packed bytes");
  const uint64_t sum = crc32(0, reinterpret_cast<const Bytef*>(footer->data()) + 4, 6);
  return sum == NumberAt(*footer, 0, 4) ? Whole() : Partial("ends within its packed bytes");
}

bool NamesOneOf(absl::string_view name, std::initializer_list<absl::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](absl::string_view ending) {
    return absl::EndsWithIgnoreCase(name, ending);
  });
}

}  // namespace

bool HasKnownEnd(absl::string_view name) {
  return NamesOneOf(name, {".pt", ".pth", ".ckpt", ".bin", ".npz", ".keras", ".safetensors", ".h5",
                           ".hdf5", ".pkl", ".pickle", ".rds", ".rdata"});
}

FileCheck CheckWhole(int file, int64_t bytes, absl::string_view name) {
  const Bytes data(file, bytes);
  const auto head = data.Read(0, std::min<int64_t>(bytes, 8));
  if (!head) return Partial("can't be read");
  if (NamesOneOf(name, {".safetensors"})) return CheckSafetensors(data);
  if (IsAt(*head, 0, kZipMember) || IsAt(*head, 0, kZipEnd)) return CheckZip(data);
  if (IsAt(*head, 0, kHdf5)) return CheckHdf5(data);
  if (IsAt(*head, 0, kGzip)) return CheckGzip(data);
  if (IsAt(*head, 0, kXz)) return CheckXz(data);
  if (bytes == 0 && HasKnownEnd(name)) return Partial("is empty");
  if (NamesOneOf(name, {".npz", ".keras"})) return Partial("is no zip archive");
  if (NamesOneOf(name, {".h5", ".hdf5"})) return Partial("has no HDF5 superblock");
  // One pickle of protocol 2 or later ends with its STOP.
  if (NamesOneOf(name, {".pkl", ".pickle"}) && IsAt(*head, 0, "\x80")) {
    const auto last = data.Read(bytes - 1, 1);
    return last && *last == "." ? Whole() : Partial("ends within its pickle");
  }
  return Unknown();
}

}  // namespace baton::worker
