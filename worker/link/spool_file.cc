#include "worker/link/spool_file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"

namespace baton::worker {
namespace {

constexpr int64_t kReleaseBytes = 1 << 20;
constexpr int64_t kBlockBytes = 4096;

std::string AckedPath(const std::string& path) { return path + ".acked"; }

int64_t ReadAcked(const std::string& path) {
  const int file = open(AckedPath(path).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  int64_t acked = 0;
  const bool whole = pread(file, &acked, sizeof(acked), 0) == static_cast<ssize_t>(sizeof(acked));
  close(file);
  return whole && acked >= 0 ? acked : 0;
}

bool WriteAcked(const std::string& path, int64_t acked) {
  const int file = open(AckedPath(path).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool whole = pwrite(file, &acked, sizeof(acked), 0) == static_cast<ssize_t>(sizeof(acked));
  close(file);
  return whole;
}

}  // namespace

std::string SpoolName(const TaskKey& key, bool metrics) {
  return absl::StrCat(key.job, ".", key.attempt, ".", key.rank, ".", key.token,
                      metrics ? ".metrics" : ".log");
}

bool ParseSpoolName(const std::string& name, TaskKey& key, bool& metrics) {
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  if (parts.size() != 5 || parts[0].empty()) return false;
  if (parts[4] != "log" && parts[4] != "metrics") return false;
  key.job = parts[0];
  metrics = parts[4] == "metrics";
  return absl::SimpleAtoi(parts[1], &key.attempt) && absl::SimpleAtoi(parts[2], &key.rank) &&
         absl::SimpleAtoi(parts[3], &key.token);
}

SpoolFile::SpoolFile(std::string path, Options options)
    : path_(std::move(path)), releases_(options.releases) {
  acked_ = released_ = ReadAcked(path_);
  Refresh();
  size_ = std::max(size_, acked_);
}

SpoolFile::~SpoolFile() {
  if (file_ >= 0) close(file_);
}

bool SpoolFile::Open(bool create) {
  if (file_ >= 0) return true;
  file_ = open(path_.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
  // Now, since on a full disk it could not be made, and then nothing could be given back.
  if (file_ >= 0 && releases_) (void)WriteAcked(path_, acked_);
  return file_ >= 0;
}

void SpoolFile::Refresh() {
  struct stat info {};
  const bool known = file_ >= 0 ? fstat(file_, &info) == 0 : stat(path_.c_str(), &info) == 0;
  if (known) size_ = std::max(size_, static_cast<int64_t>(info.st_size));
}

int64_t SpoolFile::Write(absl::string_view bytes) {
  if (!Open(true)) return 0;
  int64_t written = 0;
  while (written < static_cast<int64_t>(bytes.size())) {
    const ssize_t n = pwrite(file_, bytes.data() + written, bytes.size() - written, size_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += n;
    size_ += n;
  }
  return written;
}

void SpoolFile::AppendMarker() {
  if (dropped_ == 0) return;
  const std::string marker = absl::StrCat("\n[baton: ", dropped_,
                                          " bytes of output were lost here: the spool was full]\n");
  const int64_t before = size_;
  if (Write(marker) == static_cast<int64_t>(marker.size())) {
    dropped_ = 0;
    return;
  }
  // A piece of a marker would be taken for output: take it back.
  size_ = before;
  if (file_ >= 0) (void)!ftruncate(file_, size_);
}

void SpoolFile::Append(absl::string_view bytes) {
  AppendMarker();
  if (dropped_ == 0) {
    dropped_ += static_cast<int64_t>(bytes.size()) - Write(bytes);
  } else {
    dropped_ += static_cast<int64_t>(bytes.size());
  }
}

absl::StatusOr<std::string> SpoolFile::Read(int64_t offset, size_t bytes_max) {
  std::string bytes;
  if (offset >= size_) return bytes;
  if (!Open(false)) return ErrnoStatus(errno, path_);
  bytes.resize(std::min<size_t>(bytes_max, static_cast<size_t>(size_ - offset)));
  ssize_t n;
  do {
    n = pread(file_, bytes.data(), bytes.size(), offset);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return ErrnoStatus(errno, path_);
  bytes.resize(static_cast<size_t>(n));
  return bytes;
}

// The offset is written down before the bytes go: a worker that starts again must not send holes.
void SpoolFile::Acknowledge(int64_t offset) {
  acked_ = std::clamp(offset, acked_, size_);
  const bool is_tight = dropped_ > 0;
  if (!releases_ || (acked_ - released_ < kReleaseBytes && !is_tight) || !Open(false)) return;
  if (!WriteAcked(path_, acked_)) return;
  const int64_t until = acked_ / kBlockBytes * kBlockBytes;
  (void)fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, until);
  released_ = acked_;
}

absl::Status SpoolFile::Move(const std::string& path) {
  if (rename(path_.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("moving ", path_, " to ", path));
  }
  (void)rename(AckedPath(path_).c_str(), AckedPath(path).c_str());
  path_ = path;
  releases_ = true;
  return absl::OkStatus();
}

void SpoolFile::Remove() {
  (void)unlink(path_.c_str());
  (void)unlink(AckedPath(path_).c_str());
}

}  // namespace baton::worker
