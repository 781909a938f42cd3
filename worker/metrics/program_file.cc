#include "worker/metrics/program_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::worker {
namespace {

// A line without an end that is longer than this is copied as it comes.
constexpr int64_t kTakeBytesMax = 4 << 20;
constexpr size_t kBeforeBytes = 256;
// Of a longer file that is written anew the rest is copied twice.
constexpr size_t kLinesKnownMax = 1 << 16;

std::string TakenOf(const std::string& file) { return file + ".taken"; }

}  // namespace

ProgramFile::ProgramFile(std::string file) : file_(std::move(file)) {}

// A worker that was killed has appended all of the lines that it last wrote down, none, or a part.
void ProgramFile::Recover(const MetricsAppender& metrics) {
  recovered_ = true;
  const absl::StatusOr<std::string> text = ReadFile(TakenOf(file_));
  if (!text.ok()) return;
  std::vector<int64_t> numbers;
  for (const absl::string_view word : absl::StrSplit(*text, ' ', absl::SkipWhitespace())) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(word, &number) || number < 0) return;
    numbers.push_back(number);
  }
  if (numbers.size() != 4) return;
  const Taken taken = {numbers[0], numbers[1], numbers[2], numbers[3]};
  struct stat info {};
  const int64_t size = stat(metrics.file().c_str(), &info) == 0 ? info.st_size : 0;
  const bool is_whole = size >= taken.size + taken.bytes;
  offset_ = is_whole ? taken.after : taken.before;
  if (!is_whole && size > taken.size) (void)!truncate(metrics.file().c_str(), taken.size);
}

// One write over what was there: a worker may be killed at any time. Lost with the machine is fine,
// since the lines are then, too.
void ProgramFile::Keep(const Taken& taken) const {
  const std::string text = absl::StrFormat("%020d %020d %020d %020d\n", taken.before, taken.after,
                                           taken.size, taken.bytes);
  const int file = open(TakenOf(file_).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return;
  (void)!pwrite(file, text.data(), text.size(), 0);
  close(file);
}

// What stands behind the offset, which is the beginning of a file that was written anew.
std::string ProgramFile::ReadNew() {
  const int file = open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (file < 0) return "";
  struct stat info {};
  std::string bytes;
  if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    std::string before(before_.size(), '\0');
    const auto behind = offset_ - static_cast<int64_t>(before.size());
    const bool goes_on =
        info.st_size >= offset_ &&
        pread(file, before.data(), before.size(), behind) == static_cast<ssize_t>(before.size()) &&
        before == before_;
    if (!goes_on) {
      offset_ = 0;
      line_ = 0;
      before_.clear();
    }
    bytes.resize(static_cast<size_t>(std::min<int64_t>(info.st_size - offset_, kTakeBytesMax)));
    const ssize_t n = pread(file, bytes.data(), bytes.size(), offset_);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }
  close(file);
  return bytes;
}

// Without the lines that the file had at this place when it was copied before.
std::string ProgramFile::WithoutKnown(const std::string& bytes) {
  std::string fresh;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t newline = bytes.find('\n', begin);
    const size_t end = newline == std::string::npos ? bytes.size() : newline + 1;
    const uint64_t hash = Xxh3(bytes.data() + begin, end - begin);
    const bool is_known = line_ < lines_.size() && lines_[line_] == hash;
    if (!is_known) {
      if (line_ < lines_.size()) lines_.resize(line_);  // from here on it is another file
      if (line_ == lines_.size() && line_ < kLinesKnownMax) lines_.push_back(hash);
      fresh.append(bytes, begin, end - begin);
    }
    ++line_;
    begin = end;
  }
  return fresh;
}

std::string ProgramFile::TakeLines(Writer writer, int64_t* begin) {
  std::string bytes = ReadNew();
  *begin = offset_;
  const size_t end = bytes.rfind('\n');
  const bool endless = static_cast<int64_t>(bytes.size()) == kTakeBytesMax;
  if (end != std::string::npos) {
    if (writer == Writer::kRuns || endless) bytes.resize(end + 1);
  } else if (writer == Writer::kRuns && !endless) {
    return "";
  }
  offset_ += static_cast<int64_t>(bytes.size());
  before_.append(bytes, bytes.size() - std::min(bytes.size(), kBeforeBytes));
  if (before_.size() > kBeforeBytes) before_.erase(0, before_.size() - kBeforeBytes);
  if (writer == Writer::kEnded && !endless && !bytes.empty() && bytes.back() != '\n') bytes += '\n';
  return bytes;
}

void ProgramFile::CopyTo(MetricsAppender& metrics, Writer writer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!recovered_) Recover(metrics);
  while (true) {
    int64_t begin = 0;
    const std::string lines = TakeLines(writer, &begin);
    if (lines.empty()) return;
    const std::string fresh = WithoutKnown(lines);
    metrics.Append(fresh, [&](int64_t size) {
      Keep({begin, offset_, size, static_cast<int64_t>(fresh.size())});
    });
    if (writer == Writer::kRuns) return;
  }
}

bool ProgramFile::HasBegun() const {
  struct stat info {};
  return stat(file_.c_str(), &info) == 0 && info.st_size > 0;
}

}  // namespace baton::worker
