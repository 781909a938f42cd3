#include "common/table/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/check.h"
#include "common/status.h"

namespace baton::table {
namespace {

constexpr size_t kInputBytes = 1 << 16;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEntryMagic = 0x02014b50;
constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30;
constexpr size_t kCommentMax = 0xffff;
constexpr uint32_t kDirectoryBytesMax = 1 << 24;
constexpr uint32_t kZip64 = 0xffffffff;
constexpr int kRawDeflate = -15;  // inflateInit2: the largest window, no header
constexpr size_t kNamesShown = 10;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

uint32_t Little(const uint8_t* bytes, int size) {
  uint32_t value = 0;
  for (int i = size - 1; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

struct Entry {
  std::string name;
  uint32_t flags = 0;
  uint32_t method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0;  // bytes
  uint64_t size = 0;    // unpacked
  uint64_t at = 0;      // of the local header
};

class Member : public ByteSource {
 public:
  Member(std::string path, File file, Entry entry)
      : path_(std::move(path)),
        file_(std::move(file)),
        entry_(std::move(entry)),
        packed_left_(entry_.packed),
        left_(entry_.size),
        input_(kInputBytes) {
    if (deflated()) BATON_CHECK(inflateInit2(&stream_, kRawDeflate) == Z_OK, "no memory for zlib");
  }
  ~Member() override {
    if (deflated()) inflateEnd(&stream_);
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) override {
    size_t done = 0;
    size = static_cast<size_t>(std::min<uint64_t>(size, left_));
    while (done < size) {
      BATON_ASSIGN_OR_RETURN(const size_t got, deflated() ? Unpack(bytes + done, size - done)
                                                          : Copy(bytes + done, size - done));
      crc_ = static_cast<uint32_t>(crc32(crc_, bytes + done, static_cast<uInt>(got)));
      done += got;
      left_ -= got;
    }
    if (left_ == 0 && crc_ != entry_.crc) return Damaged("its checksum is not that of its bytes");
    return done;
  }

 private:
  bool deflated() const { return entry_.method == Z_DEFLATED; }

  absl::Status Damaged(absl::string_view what) const {
    return absl::DataLossError(
        absl::StrCat(path_, ":", entry_.name, ": ", what, "; fetch or save the file again"));
  }

  absl::StatusOr<size_t> Copy(uint8_t* bytes, size_t size) {
    const size_t piece = std::min<size_t>(size, 1 << 20);
    const size_t got = std::fread(bytes, 1, piece, file_.get());
    if (got == 0) return Damaged("the file ends inside of it");
    return got;
  }

  absl::StatusOr<size_t> Unpack(uint8_t* bytes, size_t size) {
    if (stream_.avail_in == 0) {
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(input_.size(), packed_left_));
      stream_.avail_in = static_cast<uInt>(std::fread(input_.data(), 1, piece, file_.get()));
      stream_.next_in = input_.data();
      packed_left_ -= stream_.avail_in;
    }
    const auto wanted = static_cast<uInt>(std::min<size_t>(size, 1 << 20));
    stream_.next_out = bytes;
    stream_.avail_out = wanted;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const size_t got = wanted - stream_.avail_out;
    if (code != Z_OK && code != Z_STREAM_END) {
      return Damaged(stream_.msg != nullptr ? stream_.msg : "its packed bytes end too soon");
    }
    if (got == 0 && (code == Z_STREAM_END || stream_.avail_in == 0)) {
      return Damaged("it unpacks to fewer bytes than its entry announces");
    }
    return got;
  }

  const std::string path_;
  const File file_;
  const Entry entry_;
  uint64_t packed_left_;
  uint64_t left_;
  uint32_t crc_ = 0;
  std::vector<uint8_t> input_;
  z_stream stream_{};
};

class Archive {
 public:
  Archive(const std::string& path, std::FILE* file) : path_(path), file_(file) {}

  absl::StatusOr<std::vector<Entry>> Entries() {
    if (std::fseek(file_, 0, SEEK_END) != 0) return Bad("cannot be read from its end");
    const auto size = static_cast<uint64_t>(std::max(std::ftell(file_), 0L));
    const size_t tail = static_cast<size_t>(std::min<uint64_t>(size, kEndBytes + kCommentMax));
    BATON_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadAt(size - tail, tail));
    for (size_t i = tail < kEndBytes ? 0 : tail - kEndBytes + 1; i-- > 0;) {
      if (Little(&bytes[i], 4) == kEndMagic) return Directory(&bytes[i]);
    }
    return Bad("is no zip archive, or cut short");
  }

  // Where the member's bytes begin.
  absl::StatusOr<uint64_t> BytesOf(const Entry& entry) {
    BATON_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadAt(entry.at, kLocalBytes));
    if (Little(&bytes[0], 4) != kLocalMagic) return Bad("its directory points to no member");
    return entry.at + kLocalBytes + Little(&bytes[26], 2) + Little(&bytes[28], 2);
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": ", what, "; name a file that numpy.savez wrote"));
  }

  absl::StatusOr<std::vector<uint8_t>> ReadAt(uint64_t at, size_t size) {
    std::vector<uint8_t> bytes(size);
    if (std::fseek(file_, static_cast<long>(at), SEEK_SET) != 0 ||
        std::fread(bytes.data(), 1, size, file_) != size) {
      return absl::DataLossError(
          absl::StrCat(path_, ": ends before byte ", at + size, "; fetch the file again"));
    }
    return bytes;
  }

  absl::StatusOr<std::vector<Entry>> Directory(const uint8_t* end) {
    const uint32_t count = Little(end + 10, 2);
    const uint32_t size = Little(end + 12, 4);
    const uint32_t at = Little(end + 16, 4);
    if (at == kZip64 || count == 0xffff || size > kDirectoryBytesMax) {
      return Bad("has more members or bytes than this reader takes");
    }
    BATON_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadAt(at, size));
    std::vector<Entry> entries;
    size_t position = 0;
    while (entries.size() < count) {
      if (bytes.size() - position < kEntryBytes || Little(&bytes[position], 4) != kEntryMagic) {
        return Bad("has a damaged directory");
      }
      const uint8_t* head = &bytes[position];
      const size_t name = Little(head + 28, 2);
      position += kEntryBytes;
      const size_t rest = name + Little(head + 30, 2) + Little(head + 32, 2);
      if (bytes.size() - position < rest) return Bad("has a damaged directory");
      entries.push_back({std::string(reinterpret_cast<const char*>(head + kEntryBytes), name),
                         Little(head + 8, 2), Little(head + 10, 2), Little(head + 16, 4),
                         Little(head + 20, 4), Little(head + 24, 4), Little(head + 42, 4)});
      position += rest;
    }
    return entries;
  }

  const std::string& path_;
  std::FILE* const file_;
};

absl::StatusOr<Entry> Find(const std::string& path, const std::vector<Entry>& entries,
                           const std::string& name) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    const bool only = name.empty() && entries.size() == 1;
    if (only || (!name.empty() && (entry.name == name || entry.name == name + ".npy"))) {
      return entry;
    }
    if (names.size() == kNamesShown) names.push_back("...");
    if (names.size() < kNamesShown) {
      names.push_back(std::string(absl::StripSuffix(entry.name, ".npy")));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, name.empty() ? ": has several arrays" : ": has no array '" + name + "'",
      "; write one of these behind its name, as in FILE.npz:NAME: ", absl::StrJoin(names, ", ")));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenZipMember(const std::string& path,
                                                          const std::string& name) {
  errno = 0;
  File file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened: ", std::strerror(errno),
                                            "; check the path in the spec's data section"));
  }
  Archive archive(path, file.get());
  BATON_ASSIGN_OR_RETURN(const std::vector<Entry> entries, archive.Entries());
  BATON_ASSIGN_OR_RETURN(const Entry entry, Find(path, entries, name));
  const bool readable = (entry.flags & 1) == 0 && (entry.method == 0 || entry.method == Z_DEFLATED);
  if (!readable || entry.packed == kZip64 || entry.size == kZip64) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", entry.name, ": is encrypted, packed by method ", entry.method,
                     " or too large; save it with numpy.savez or numpy.savez_compressed"));
  }
  BATON_ASSIGN_OR_RETURN(const uint64_t at, archive.BytesOf(entry));
  if (std::fseek(file.get(), static_cast<long>(at), SEEK_SET) != 0) {
    return ErrnoStatus(errno, absl::StrCat("read ", path));
  }
  return std::unique_ptr<ByteSource>(std::make_unique<Member>(path, std::move(file), entry));
}

}  // namespace baton::table
