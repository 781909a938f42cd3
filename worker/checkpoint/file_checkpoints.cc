#include "worker/checkpoint/file_checkpoints.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/printable.h"
#include "worker/checkpoint/file_walk.h"
#include "worker/checkpoint/whole_file.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLookEveryMs = 100;
constexpr int64_t kLookEveryCosts = 50;  // or less often, where a look takes long
constexpr size_t kProblemsMax = 8;

// 0, or what went wrong as errno.
int CopyBytes(int from, int to) {
  if (ioctl(to, FICLONE, from) == 0) return 0;
  std::string buffer(1 << 20, '\0');
  for (off_t offset = 0;;) {
    const ssize_t n = pread(from, buffer.data(), buffer.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return 0;
    for (ssize_t done = 0; done < n;) {
      const ssize_t written =
          pwrite(to, buffer.data() + done, static_cast<size_t>(n - done), offset + done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      done += written;
    }
    offset += n;
  }
}

bool SameBytes(int one, int other) {
  std::string a(1 << 18, '\0');
  std::string b(1 << 18, '\0');
  for (off_t offset = 0;;) {
    const ssize_t n = pread(one, a.data(), a.size(), offset);
    const ssize_t m = pread(other, b.data(), b.size(), offset);
    if (n < 0 || n != m || memcmp(a.data(), b.data(), static_cast<size_t>(n)) != 0) return false;
    if (n == 0) return true;
    offset += n;
  }
}

struct Closer {
  int file;
  ~Closer() {
    if (file >= 0) close(file);
  }
};

}  // namespace

struct FileCheckpoints::State {
  const FileCheckpointOptions options;
  const Clock& clock;
  const FileCheckpointEvents events;
  std::vector<Glob> globs;
  FileSet files;
  std::string last;  // folder of the newest set, which may be gone meanwhile
  int64_t number = 0;
  bool failed_to_copy = false;  // at the last set
  int64_t pause_ms = kLookEveryMs;
  std::set<std::string> told;
  std::thread thread;

  std::mutex mutex;  // protects what follows
  std::condition_variable wake;
  bool stopping = false;
  TaskEnd end = TaskEnd::kRuns;
  std::function<void()> done;

  State(FileCheckpointOptions o, const Clock& c, FileCheckpointEvents e)
      : options(std::move(o)),
        clock(c),
        events(std::move(e)),
        globs(Globs(options)),
        files(WalkFiles(options.work, globs).files),
        last(options.last) {}

  static std::vector<Glob> Globs(const FileCheckpointOptions& options) {
    std::vector<Glob> globs;
    for (const std::string& glob : options.globs) globs.emplace_back(absl::string_view(glob));
    return globs;
  }

  void Tell(const std::string& problem) {
    if (told.size() < kProblemsMax && told.insert(problem).second) events.problem(problem);
  }

  std::string CopyOf(const std::string& folder, const std::string& path) const {
    return absl::StrCat(folder, "/", path);
  }

  // The version of the set before, at no cost.
  bool LinkOld(const std::string& path, const std::string& to) const {
    return !last.empty() && link(CopyOf(last, path).c_str(), to.c_str()) == 0;
  }

  // 0, or errno. Nobody writes to a file of a task that has ended: another name for it will do.
  int Copy(int from, const std::string& to, TaskEnd ended) const {
    if (ended != TaskEnd::kRuns) {
      const std::string opened = absl::StrCat("/proc/self/fd/", from);
      if (linkat(AT_FDCWD, opened.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0) return 0;
    }
    struct stat info {};
    if (fstat(from, &info) != 0) return errno;
    const Closer copy{open(to.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (copy.file < 0) return errno;
    const int error = CopyBytes(from, copy.file);
    if (error == 0) (void)fchmod(copy.file, info.st_mode & 0777);
    return error;
  }

  struct Taken {
    bool kept = false;
    bool is_new = false;    // not the bytes of the set before
    bool is_whole = false;  // as its structure tells
  };

  // A copy of the file as it is, if it stays so and is whole.
  Taken Take(const std::string& path, const std::string& to, TaskEnd ended, int* error) {
    const Closer from{OpenInFolder(options.work, path)};
    if (from.file < 0) return {};
    const FileVersion before = VersionOf(from.file);
    *error = Copy(from.file, to, ended);
    const Closer copy{*error == 0 ? open(to.c_str(), O_RDONLY | O_CLOEXEC) : -1};
    FileCheck check;
    bool is_same = false;
    if (copy.file >= 0) {
      check = CheckWhole(copy.file, VersionOf(copy.file).bytes, path);
      const Closer again{OpenInFolder(options.work, path)};
      is_same = again.file >= 0 && VersionOf(again.file) == before &&
                VersionOf(copy.file).bytes == before.bytes;
    }
    if (check.wholeness == Wholeness::kUnknown &&
        files.NeedsProof(path, clock.MonotonicMillis(), ended)) {
      check = {Wholeness::kPartial, "was changed just before the program was killed"};
    }
    if (is_same && check.wholeness != Wholeness::kPartial) {
      files.Saved(path, before);
      return {true, !IsAsBefore(copy.file, path), check.wholeness == Wholeness::kWhole};
    }
    (void)unlink(to.c_str());
    if (is_same) {
      files.Refused(path, before);
      Tell(absl::StrCat("'", Printable(path), "' is not kept as a checkpoint: it ", check.problem));
    }
    return {};
  }

  // Programs write the same settings at each start: that is no news.
  bool IsAsBefore(int copy, const std::string& path) const {
    const Closer old{last.empty() ? -1 : OpenInFolder(last, path)};
    return old.file >= 0 && SameBytes(old.file, copy);
  }

  // Makes the set; false when there is none.
  bool Make(const SeenFiles& seen, const std::vector<std::string>& chosen, TaskEnd ended,
            const std::string& folder) {
    const std::set<std::string> fresh(chosen.begin(), chosen.end());
    bool has_news = false;
    bool has_known = false;
    failed_to_copy = false;
    for (const auto& [path, version] : seen) {
      const std::string to = CopyOf(folder, path);
      std::error_code failed;
      fs::create_directories(fs::path(to).parent_path(), failed);
      const bool is_fresh = fresh.count(path) > 0;
      if (!is_fresh && LinkOld(path, to)) {
        has_known |= HasKnownEnd(path);
        continue;
      }
      if (!is_fresh && !files.IsSaved(path)) continue;  // written right now, for the first time
      int error = failed.value();
      const Taken taken = error == 0 ? Take(path, to, ended, &error) : Taken();
      if (error != 0) {
        failed_to_copy = true;
        Tell(absl::StrCat("the files of `checkpoints` can't be copied: ", strerror(error),
                          error == ENOSPC ? "; the node needs room for two copies of them" : ""));
        return false;
      }
      has_news |= is_fresh && taken.is_new;
      has_known |= taken.is_whole;
      if (!taken.kept) (void)LinkOld(path, to);
    }
    return has_news && (has_known || !options.needs_known_file);
  }

  void Look(TaskEnd ended) {
    const int64_t walk_ms = clock.MonotonicMillis();
    const WalkedFiles walked = WalkFiles(options.work, globs);
    pause_ms = std::max(kLookEveryMs, kLookEveryCosts * (clock.MonotonicMillis() - walk_ms));
    if (walked.cut) {
      Tell(
          "`checkpoints` names a folder with more than 100,000 entries, and not all are looked "
          "at; name a smaller one");
    }
    if (!files.Look(walked.files, clock.MonotonicMillis(), ended)) return;
    const std::vector<std::string> chosen =
        files.Choose(ended == TaskEnd::kRuns ? Written(walked.files) : std::set<std::string>(),
                     clock.MonotonicMillis(), ended);
    if (chosen.empty()) return;
    const int64_t start_ms = clock.MonotonicMillis();
    FoundCheckpoint found;
    found.name = absl::StrCat(options.name, number + 1);
    found.folder = absl::StrCat(options.copies, "/", found.name);
    found.taken_ms = clock.UnixMillis();
    const std::string making = found.folder + ".tmp";
    std::error_code ignored;
    const bool made = Make(walked.files, chosen, ended, making) &&
                      rename(making.c_str(), found.folder.c_str()) == 0;
    const int64_t now_ms = clock.MonotonicMillis();
    if (made || failed_to_copy) {
      files.Paced(now_ms, now_ms - start_ms);
    } else {
      files.Missed(now_ms, now_ms - start_ms);
    }
    if (!made) {
      fs::remove_all(making, ignored);
      return;
    }
    ++number;
    last = found.folder;
    events.found(found);
  }

  std::set<std::string> Written(const SeenFiles& seen) const {
    const std::set<uint64_t> inodes = events.written();
    std::set<std::string> written;
    for (const auto& [path, version] : seen) {
      if (inodes.count(version.inode) > 0) written.insert(path);
    }
    return written;
  }

  void Run() {
    for (;;) {
      TaskEnd ended;
      {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait_for(lock, std::chrono::milliseconds(pause_ms),
                      [this] { return stopping || end != TaskEnd::kRuns; });
        if (stopping) return;
        ended = end;
      }
      Look(ended);
      if (ended != TaskEnd::kRuns) return done();
    }
  }
};

FileCheckpoints::FileCheckpoints(FileCheckpointOptions options, const Clock& clock,
                                 FileCheckpointEvents events)
    : state_(std::make_unique<State>(std::move(options), clock, std::move(events))) {
  State* const state = state_.get();
  state_->thread = std::thread([state] { state->Run(); });
}

FileCheckpoints::~FileCheckpoints() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
}

void FileCheckpoints::End(TaskEnd end, std::function<void()> done) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->end = end;
    state_->done = std::move(done);
  }
  state_->wake.notify_all();
}

}  // namespace baton::worker
