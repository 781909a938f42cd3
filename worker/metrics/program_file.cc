#include "worker/metrics/program_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::worker {
namespace {

// A line without an end that is longer than this is copied as it comes.
constexpr int64_t kTakeBytesMax = 4 << 20;

std::string TakenOf(const std::string& file) { return file + ".taken"; }

}  // namespace

ProgramFile::ProgramFile(std::string file) : file_(std::move(file)) {
  const absl::StatusOr<std::string> taken = ReadFile(TakenOf(file_));
  if (!taken.ok() || !absl::SimpleAtoi(*taken, &offset_) || offset_ < 0) offset_ = 0;
}

std::string ProgramFile::TakeLines(Writer writer) {
  const int file = open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (file < 0) return "";
  struct stat info {};
  std::string bytes;
  if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    if (info.st_size < offset_) offset_ = 0;
    bytes.resize(static_cast<size_t>(std::min<int64_t>(info.st_size - offset_, kTakeBytesMax)));
    const ssize_t n = pread(file, bytes.data(), bytes.size(), offset_);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }
  close(file);
  const size_t end = bytes.rfind('\n');
  const bool endless = static_cast<int64_t>(bytes.size()) == kTakeBytesMax;
  if (end != std::string::npos) {
    if (writer == Writer::kRuns || endless) bytes.resize(end + 1);
  } else if (writer == Writer::kRuns && !endless) {
    return "";
  }
  offset_ += static_cast<int64_t>(bytes.size());
  if (writer == Writer::kEnded && !endless && !bytes.empty() && bytes.back() != '\n') bytes += '\n';
  return bytes;
}

void ProgramFile::CopyTo(MetricsAppender& metrics, Writer writer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (true) {
    const std::string lines = TakeLines(writer);
    if (lines.empty()) return;
    metrics.Append(lines);
    // Lost with the machine is fine: the lines are then, too.
    const std::string taken = absl::StrCat(offset_);
    const std::string path = TakenOf(file_);
    const int file =
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0) {
      (void)!write(file, taken.data(), taken.size());
      close(file);
    }
    if (writer == Writer::kRuns) return;
  }
}

bool ProgramFile::HasBegun() const {
  struct stat info {};
  return stat(file_.c_str(), &info) == 0 && info.st_size > 0;
}

}  // namespace baton::worker
