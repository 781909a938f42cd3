#include "worker/setup/relocate.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

struct Looked {
  bool has_path = false;
  bool is_text = true;
};

// Read in pieces, not mapped: libraries have gigabytes, and a program may cut its file meanwhile,
// which would end whoever has it mapped.
Looked LookInto(const std::string& file, const std::string& path) {
  constexpr size_t kPiece = 1 << 20;
  Looked looked;
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return looked;
  std::string bytes;
  std::string piece(kPiece, '\0');
  for (;;) {
    const ssize_t n = read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    bytes.append(piece, 0, static_cast<size_t>(n));
    looked.has_path = looked.has_path || absl::StrContains(bytes, path);
    looked.is_text = looked.is_text && bytes.find('\0') == std::string::npos;
    if (looked.has_path && !looked.is_text) break;
    // The path may be cut between two pieces.
    if (bytes.size() >= path.size()) bytes.erase(0, bytes.size() - path.size() + 1);
  }
  close(fd);
  return looked;
}

absl::Status RewriteText(const std::string& path, const std::string& from, const std::string& to) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, path);
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::string changed = absl::StrReplaceAll(text, {{from, to}});
  // In place of the old one, which may be a hard link into somebody's cache.
  const std::string temporary = path + ".baton-tmp";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, temporary);
  const ssize_t n = write(fd, changed.data(), changed.size());
  const int error = n < 0 ? errno : ENOSPC;
  const bool whole = n == static_cast<ssize_t>(changed.size());
  const timespec times[2] = {info.st_atim, info.st_mtim};
  (void)fchmod(fd, info.st_mode & 07777);
  (void)futimens(fd, times);
  close(fd);
  if (!whole) {
    (void)unlink(temporary.c_str());
    return ErrnoStatus(error, temporary);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, path);
  return absl::OkStatus();
}

absl::Status RewriteLink(const std::string& path, const std::string& from, const std::string& to) {
  std::error_code error;
  const std::string target = fs::read_symlink(path, error).string();
  if (error || !absl::StartsWith(target, from)) return absl::OkStatus();
  (void)unlink(path.c_str());
  const std::string changed = absl::StrCat(to, target.substr(from.size()));
  if (symlink(changed.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NamingFiles> FindNaming(const std::string& folder, const std::string& path) {
  NamingFiles found;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string file = at->path().string();
    const std::string name = file.substr(folder.size() + 1);
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_symlink(status)) {
      const std::string target = fs::read_symlink(at->path(), error).string();
      if (error) break;
      if (absl::StartsWith(target, path)) found.links.push_back(name);
      continue;
    }
    if (!fs::is_regular_file(status) || absl::EndsWith(name, ".pyc")) continue;
    const Looked looked = LookInto(file, path);
    if (!looked.has_path) continue;
    if (looked.is_text) {
      found.texts.push_back(name);
    } else if (found.binary.empty()) {
      found.binary = name;
    }
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("reading ", folder));
  std::sort(found.texts.begin(), found.texts.end());
  std::sort(found.links.begin(), found.links.end());
  return found;
}

absl::Status Rename(const std::string& folder, const NamingFiles& files, const std::string& from,
                    const std::string& to) {
  for (const std::string& name : files.texts) {
    BATON_RETURN_IF_ERROR(RewriteText(absl::StrCat(folder, "/", name), from, to));
  }
  for (const std::string& name : files.links) {
    BATON_RETURN_IF_ERROR(RewriteLink(absl::StrCat(folder, "/", name), from, to));
  }
  return absl::OkStatus();
}

}  // namespace baton::worker
