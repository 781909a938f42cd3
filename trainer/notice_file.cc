#include "trainer/notice_file.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "trainer/drain.h"

namespace baton::trainer {
namespace {

constexpr int64_t kLookGapMs = 50;

}  // namespace

bool NoticeFile::Seen(int64_t now_ms) {
  if (seen_ || path_.empty()) return seen_;
  if (now_ms - looked_ms_ < kLookGapMs) return false;
  looked_ms_ = now_ms;
  if (access(path_.c_str(), F_OK) != 0) return false;
  seen_ = true;
  const absl::StatusOr<std::string> text = ReadFile(path_);
  if (text.ok()) deadline_unix_ms_ = NoticeDeadlineMs(*text);
  LogInfo(absl::StrCat("notice: ", text.ok() ? *text : std::string(text.status().message())));
  return true;
}

}  // namespace baton::trainer
