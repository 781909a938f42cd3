#include "worker/checkpoint/file_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/artifact/manifest.h"

namespace baton::worker {
namespace {

constexpr int kEntriesMax = 100'000;
constexpr char kOwnFolder[] = ".baton";  // of the package: the spec

FileVersion VersionIn(const struct stat& info) {
  return {info.st_size, int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
          info.st_ino};
}

class Walk {
 public:
  explicit Walk(const std::vector<Glob>& globs) : globs_(globs) {}

  void Into(int folder, const std::string& path) {
    DIR* const stream = fdopendir(folder);
    if (stream == nullptr) {
      close(folder);
      return;
    }
    while (const dirent* entry = readdir(stream)) {
      const std::string name = entry->d_name;
      if (name == "." || name == ".." || (path.empty() && name == kOwnFolder)) continue;
      if (++entries_ > kEntriesMax) {
        found.cut = true;
        break;
      }
      At(dirfd(stream), name, path.empty() ? name : absl::StrCat(path, "/", name));
    }
    closedir(stream);
  }

  WalkedFiles found;

 private:
  void At(int folder, const std::string& name, const std::string& path) {
    struct stat info {};
    if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(info.st_mode)) {
      const bool named = std::any_of(globs_.begin(), globs_.end(),
                                     [&](const Glob& glob) { return glob.Matches(path); });
      if (named && artifact::ValidatePath(path).ok()) found.files[path] = VersionIn(info);
      return;
    }
    const bool worth_a_look =
        S_ISDIR(info.st_mode) && std::any_of(globs_.begin(), globs_.end(), [&](const Glob& glob) {
          return glob.MayMatchBelow(path);
        });
    if (!worth_a_look) return;
    const int inner = openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) Into(inner, path);
  }

  const std::vector<Glob>& globs_;
  int entries_ = 0;
};

}  // namespace

WalkedFiles WalkFiles(const std::string& folder, const std::vector<Glob>& globs) {
  Walk walk(globs);
  const int top = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top >= 0) walk.Into(top, "");
  return std::move(walk.found);
}

int OpenInFolder(const std::string& folder, const std::string& path) {
  int at = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (size_t i = 0; i < parts.size() && at >= 0; ++i) {
    const int kind = i + 1 < parts.size() ? O_DIRECTORY : O_NONBLOCK;
    const int next = openat(at, parts[i].c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | kind);
    close(at);
    at = next;
  }
  struct stat info {};
  if (at >= 0 && (fstat(at, &info) != 0 || !S_ISREG(info.st_mode))) {
    close(at);
    return -1;
  }
  return at;
}

FileVersion VersionOf(int file) {
  struct stat info {};
  if (fstat(file, &info) != 0) return {};
  return VersionIn(info);
}

}  // namespace baton::worker
