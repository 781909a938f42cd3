#include "scheduler/store/rocksdb_words.h"

#include <rocksdb/env.h>
#include <rocksdb/status.h>

#include <array>
#include <cstdarg>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/store/disk_space.h"

namespace baton::store {
namespace {

constexpr int64_t kRoomToOpenBytes = 1 << 20;

class ForwardingLogger : public rocksdb::Logger {
 public:
  ForwardingLogger() : rocksdb::Logger(rocksdb::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 1024> line{};
    const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (size <= 0) return;
    LogWarning(absl::StrCat("rocksdb: ", absl::StripTrailingAsciiWhitespace(line.data())));
  }
  // The options, at each start.
  void LogHeader(const char*, va_list) override {}
};

}  // namespace

absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what,
                         const std::string& folder) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsNoSpace() || absl::StrContains(text, "No space left") ||
      absl::StrContains(text, "Disk quota exceeded")) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": the disk that holds ", folder,
                                                     " is full: free some room and start "
                                                     "the scheduler again (",
                                                     text, ")"));
  }
  // A file that another one names is gone.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return absl::DataLossError(absl::StrCat(what, ": files in ", folder, " are damaged (", text,
                                            "): restore the folder from a backup"));
  }
  if (absl::StrContains(text, "Permission denied")) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, ": this user may not write to ", folder, " (", text, ")"));
  }
  if (absl::StrContains(text, "While lock file") || absl::StrContains(text, "lock hold by")) {
    return absl::FailedPreconditionError(absl::StrCat("another scheduler uses ", folder,
                                                      ": end it first, or choose another folder (",
                                                      text, ")"));
  }
  return absl::InternalError(absl::StrCat(what, " in ", folder, ": ", text));
}

absl::Status CheckRoomToOpen(const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const DiskSpace space, DiskSpaceOf(folder));
  if (space.free_bytes >= kRoomToOpenBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the disk that holds ", folder, " is full: free at least ",
                   kRoomToOpenBytes >> 20, " MiB and start the scheduler again"));
}

std::shared_ptr<rocksdb::Logger> RocksdbLogger() { return std::make_shared<ForwardingLogger>(); }

}  // namespace baton::store
