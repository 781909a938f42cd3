#include "worker/setup/relocate.h"

#include <fcntl.h>
#include <sys/mman.h>
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

// A file's bytes without a copy of them: libraries have gigabytes.
class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info {};
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
      size_ = static_cast<size_t>(info.st_size);
      data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (data_ == MAP_FAILED) data_ = nullptr;
    }
    if (fd >= 0) close(fd);
  }
  ~Mapped() {
    if (data_ != nullptr) munmap(data_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  bool Has(const std::string& text) const {
    return data_ != nullptr && memmem(data_, size_, text.data(), text.size()) != nullptr;
  }
  bool IsText() const { return data_ != nullptr && memchr(data_, '\0', size_) == nullptr; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

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
    const Mapped bytes(file);
    if (!bytes.Has(path)) continue;
    if (bytes.IsText()) {
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
