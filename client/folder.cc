#include "client/folder.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::client {

namespace fs = std::filesystem;

absl::Status AsUsage(const absl::Status& status, absl::string_view flag) {
  if (status.ok() || absl::IsResourceExhausted(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(status.message()), "; give another ", flag));
}

MadeFolders::~MadeFolders() {
  std::error_code not_empty;
  for (auto it = made_.rbegin(); it != made_.rend(); ++it) fs::remove(*it, not_empty);
}

absl::Status MadeFolders::Make(const std::string& path, absl::string_view flag) {
  std::error_code error;
  fs::path so_far;
  for (const fs::path& part : fs::path(path)) {
    so_far /= part;
    if (fs::is_directory(so_far, error)) continue;
    if (fs::create_directory(so_far, error)) made_.push_back(so_far.string());
    if (!error) continue;
    std::error_code ignored;
    if (fs::is_directory(so_far, ignored)) continue;  // made by another program beside us
    if (fs::exists(so_far, ignored)) error = std::make_error_code(std::errc::not_a_directory);
    return AsUsage(ErrnoStatus(error.value(), absl::StrCat("create ", path)), flag);
  }
  return absl::OkStatus();
}

}  // namespace baton::client
