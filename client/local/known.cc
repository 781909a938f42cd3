#include "client/local/known.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

std::string StateHome() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != '\0') return absl::StrCat(state, "/baton");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.local/state/baton");
}

std::string KnownFile() { return StateHome() + "/newest"; }

}  // namespace

std::string DefaultLocalFolder() { return StateHome() + "/local"; }

std::vector<std::string> KnownFolders() {
  const absl::StatusOr<std::string> text = ReadFile(KnownFile());
  if (!text.ok()) return {};
  return absl::StrSplit(*text, '\n', absl::SkipWhitespace());
}

absl::Status ChangeKnownFolders(const std::function<void(std::vector<std::string>*)>& change) {
  std::error_code error;
  std::filesystem::create_directories(StateHome(), error);
  if (error) return absl::OkStatus();  // a user without a home gives --address
  const FolderLock lock(StateHome());
  std::vector<std::string> folders = KnownFolders();
  const std::vector<std::string> before = folders;
  change(&folders);
  if (folders == before) return absl::OkStatus();
  return WriteFileAtomically(KnownFile(), absl::StrJoin(folders, "\n") + "\n");
}

FolderLock::FolderLock(const std::string& folder)
    : fd_(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (fd_ >= 0) ::flock(fd_, LOCK_EX);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace baton::client
