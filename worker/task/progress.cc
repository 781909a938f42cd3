#include "worker/task/progress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/contract.h"

namespace baton::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kLineBytesMax = 64 << 10;

}  // namespace

bool ProgressReader::ReadProgressFile() {
  const int file = open(progress_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  contract::Progress progress;
  const bool whole = pread(file, &progress, sizeof(progress), 0) == sizeof(progress);
  close(file);
  if (whole && progress.step >= steps_.step) {
    steps_ = {progress.step, progress.unix_ms, progress.save_wait_ms};
  }
  return true;
}

void ProgressReader::TakeLine(const std::string& line, int64_t now_ms) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return;
  const auto step = object.find("step");
  if (step == object.end() || !step->is_number()) return;
  const double value = step->get<double>();
  if (!(value >= 0 && value < 9e15)) return;
  const int64_t number = static_cast<int64_t>(value);
  if (number > steps_.step) steps_ = {number, now_ms, steps_.save_ms};
}

void ProgressReader::ReadMetrics(int64_t now_ms) {
  struct stat info {};
  if (stat(metrics_file_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (info.st_size <= offset_) return;
  const int file = open(metrics_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return;
  std::string bytes(kReadBytes, '\0');
  const ssize_t n = pread(file, bytes.data(), bytes.size(), offset_);
  close(file);
  if (n <= 0) return;
  offset_ += n;
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
}

const TaskSteps& ProgressReader::Poll(int64_t now_ms) {
  if (!ReadProgressFile()) ReadMetrics(now_ms);
  return steps_;
}

}  // namespace baton::worker
