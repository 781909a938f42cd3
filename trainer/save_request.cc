#include "trainer/save_request.h"

#include <sys/stat.h>

#include <utility>

namespace baton::trainer {
namespace {

constexpr int64_t kGapMs = 50;

}  // namespace

SaveRequest::SaveRequest(std::string path, const Clock& clock)
    : path_(std::move(path)), clock_(clock), seen_(Mark()), looked_ms_(clock.MonotonicMillis()) {}

bool SaveRequest::Asked() {
  if (path_.empty()) return false;
  const int64_t now_ms = clock_.MonotonicMillis();
  if (now_ms - looked_ms_ < kGapMs) return false;
  looked_ms_ = now_ms;
  const uint64_t mark = Mark();
  const bool asked = mark != 0 && mark != seen_;
  seen_ = mark;
  return asked;
}

uint64_t SaveRequest::Mark() const {
  struct stat info {};
  if (path_.empty() || stat(path_.c_str(), &info) != 0) return 0;
  const auto changed_ns = static_cast<uint64_t>(info.st_mtim.tv_sec) * 1'000'000'000 +
                          static_cast<uint64_t>(info.st_mtim.tv_nsec);
  return changed_ns ^ (static_cast<uint64_t>(info.st_ino) << 32) ^ 1;
}

}  // namespace baton::trainer
