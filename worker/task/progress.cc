#include "worker/task/progress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/contract.h"
#include "common/metrics_line.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kLineBytesMax = 64 << 10;

}  // namespace

bool ProgressReader::ReadProgressFile() {
  const int file = open(progress_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  contract::Progress progress;
  const ssize_t bytes = pread(file, &progress, sizeof(progress), 0);
  struct stat info {};
  if (fstat(file, &info) == 0) {
    steps_.touched_ms = info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000;
  }
  close(file);
  if (bytes < contract::kProgressBytesMin || progress.step < steps_.step) return true;
  steps_.step = progress.step;
  steps_.at_ms = progress.unix_ms;
  steps_.save_ms = progress.save_wait_ms;
  if (bytes == sizeof(progress) && progress.generation > 0) {
    steps_.generation = static_cast<uint64_t>(progress.generation);
    steps_.generation_step = progress.generation_step;
  }
  return true;
}

void ProgressReader::TakeLine(const std::string& line, int64_t now_ms) {
  const auto object = nlohmann::json::parse(PlainMetricsLine(line), nullptr, false);
  if (!object.is_object()) return;
  const auto step = object.find("step");
  if (step == object.end()) return;
  const auto number = step->is_number() ? StepOfNumber(step->get<double>()) : std::nullopt;
  if (!number.has_value()) {
    if (!std::exchange(has_told_, true)) {
      problem_ = absl::StrCat(
          "metrics: a line is passed over, since its step is no whole number from 0 on: ",
          Printable(line, 80));
    }
    return;
  }
  if (*number <= steps_.step) return;
  steps_.step = *number;
  steps_.at_ms = now_ms;
}

// False when there is nothing new.
bool ProgressReader::ReadMetrics(int64_t now_ms) {
  struct stat info {};
  if (stat(metrics_file_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (info.st_size <= offset_) return false;
  const int file = open(metrics_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  std::string bytes(kReadBytes, '\0');
  const ssize_t n = pread(file, bytes.data(), bytes.size(), offset_);
  close(file);
  if (n <= 0) return false;
  offset_ += n;
  steps_.touched_ms = now_ms;
  rest_.append(bytes, 0, static_cast<size_t>(n));
  size_t begin = 0;
  for (size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (!std::exchange(skipping_, false)) TakeLine(rest_.substr(begin, end - begin), now_ms);
  }
  rest_.erase(0, begin);
  if (rest_.size() > kLineBytesMax) {
    rest_.clear();
    skipping_ = true;
  }
  return true;
}

const TaskSteps& ProgressReader::Poll(int64_t now_ms) {
  if (!ReadProgressFile()) (void)ReadMetrics(now_ms);
  return steps_;
}

const TaskSteps& ProgressReader::Finish(int64_t now_ms) {
  if (ReadProgressFile()) return steps_;
  while (ReadMetrics(now_ms)) {
  }
  if (!skipping_ && !rest_.empty()) TakeLine(std::exchange(rest_, ""), now_ms);
  return steps_;
}

}  // namespace baton::worker
