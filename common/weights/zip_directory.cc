#include "common/weights/zip_directory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/printable.h"
#include "common/status.h"

namespace baton::weights {
namespace {

constexpr uint64_t kLocalMagic = 0x04034b50;
constexpr uint64_t kEntryMagic = 0x02014b50;
constexpr uint64_t kEndMagic = 0x06054b50;
constexpr uint64_t kEnd64Magic = 0x06064b50;
constexpr uint64_t kLocator64Magic = 0x07064b50;
constexpr size_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr uint64_t kCommentMax = 0xffff;
constexpr uint64_t kDirectoryBytesMax = 1 << 26;
constexpr uint64_t kElsewhere16 = 0xffff, kElsewhere32 = 0xffffffff;
constexpr uint64_t kZip64Field = 1;

// Zero where the bytes end before.
uint64_t Little(absl::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  if (bytes.size() < at + size) return 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t count = 0;
};

class Archive {
 public:
  explicit Archive(const FileBytes& file) : file_(file) {}

  absl::StatusOr<std::vector<ZipMember>> Members() {
    BATON_ASSIGN_OR_RETURN(const Directory directory, Find());
    if (directory.bytes > kDirectoryBytesMax) return Damaged();
    BATON_ASSIGN_OR_RETURN(const std::string bytes, file_.Read(directory.offset, directory.bytes));
    std::vector<ZipMember> members;
    size_t at = 0;
    while (members.size() < directory.count) {
      BATON_ASSIGN_OR_RETURN(ZipMember member, Member(bytes, &at));
      members.push_back(std::move(member));
    }
    return members;
  }

 private:
  absl::Status Damaged() const {
    return file_.Wrong("a damaged zip archive; fetch or save it again");
  }

  // The directory's place, from the end of the file.
  absl::StatusOr<Directory> Find() {
    const uint64_t tail = std::min(file_.size(), kEndBytes + kCommentMax);
    BATON_ASSIGN_OR_RETURN(const std::string bytes, file_.Read(file_.size() - tail, tail));
    for (size_t i = bytes.size() < kEndBytes ? 0 : bytes.size() - kEndBytes + 1; i-- > 0;) {
      if (Little(bytes, i, 4) != kEndMagic) continue;
      Directory directory;
      directory.count = Little(bytes, i + 10, 2);
      directory.bytes = Little(bytes, i + 12, 4);
      directory.offset = Little(bytes, i + 16, 4);
      const bool elsewhere = directory.count == kElsewhere16 || directory.bytes == kElsewhere32 ||
                             directory.offset == kElsewhere32;
      if (!elsewhere) return directory;
      return Find64(file_.size() - tail + i);
    }
    return file_.Wrong("a zip archive that is cut short; fetch it again");
  }

  // `end`: where the end of directory lies that refers to the one of Zip64.
  absl::StatusOr<Directory> Find64(uint64_t end) {
    if (end < kLocator64Bytes) return Damaged();
    BATON_ASSIGN_OR_RETURN(const std::string locator,
                           file_.Read(end - kLocator64Bytes, kLocator64Bytes));
    if (Little(locator, 0, 4) != kLocator64Magic) return Damaged();
    BATON_ASSIGN_OR_RETURN(const std::string record,
                           file_.Read(Little(locator, 8, 8), kEnd64Bytes));
    if (Little(record, 0, 4) != kEnd64Magic) return Damaged();
    return Directory{Little(record, 48, 8), Little(record, 40, 8), Little(record, 32, 8)};
  }

  // The entry at `*at` of the directory, which then is the next one's place.
  absl::StatusOr<ZipMember> Member(absl::string_view bytes, size_t* at) {
    if (bytes.size() - *at < kEntryBytes) return Damaged();
    const absl::string_view entry = bytes.substr(*at);
    const size_t name = Little(entry, 28, 2), extra = Little(entry, 30, 2);
    const size_t whole = kEntryBytes + name + extra + Little(entry, 32, 2);
    if (Little(entry, 0, 4) != kEntryMagic || entry.size() < whole) return Damaged();
    *at += whole;
    ZipMember member;
    member.name = std::string(entry.substr(kEntryBytes, name));
    member.bytes = Little(entry, 24, 4);
    uint64_t packed = Little(entry, 20, 4), local = Little(entry, 42, 4);
    ReadZip64(entry.substr(kEntryBytes + name, extra), {&member.bytes, &packed, &local});
    const bool encrypted = Little(entry, 8, 2) & 1;
    if (encrypted || Little(entry, 10, 2) != 0 || packed != member.bytes) {
      return file_.Wrong(absl::StrCat("'", Printable(member.name),
                                      "' in it is packed or encrypted, which torch.save never "
                                      "does; save it again with torch.save"));
    }
    BATON_ASSIGN_OR_RETURN(const std::string head, file_.Read(local, kLocalBytes));
    if (Little(head, 0, 4) != kLocalMagic) return Damaged();
    member.offset = local + kLocalBytes + Little(head, 26, 2) + Little(head, 28, 2);
    if (member.bytes > file_.size() || member.offset > file_.size() - member.bytes) {
      return file_.Wrong("a zip archive that is cut short; fetch it again");
    }
    return member;
  }

  // Numbers that are too large for the entry follow, in this order, in a field of their own.
  static void ReadZip64(absl::string_view extra, const std::vector<uint64_t*>& numbers) {
    while (extra.size() >= 4) {
      const uint64_t kind = Little(extra, 0, 2);
      absl::string_view field = extra.substr(4, Little(extra, 2, 2));
      extra = extra.substr(4 + field.size());
      if (kind != kZip64Field) continue;
      for (uint64_t* number : numbers) {
        if (*number != kElsewhere32 || field.size() < 8) continue;
        *number = Little(field, 0, 8);
        field = field.substr(8);
      }
    }
  }

  const FileBytes& file_;
};

}  // namespace

bool IsZip(absl::string_view head) { return absl::StartsWith(head, "PK\x03\x04"); }

absl::StatusOr<std::vector<ZipMember>> ListZip(const FileBytes& file) {
  return Archive(file).Members();
}

}  // namespace baton::weights
