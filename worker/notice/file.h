// A notice by file, for scripts and for tests: JSON {"unix_time": T} or {"seconds": S}, both with
// an optional "reason", "kind" and "certain" (default true). A file removed withdraws the notice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/notice/notice.h"

namespace baton::worker {

class NoticeFile : public NoticeSource {
 public:
  explicit NoticeFile(std::string path) : path_(std::move(path)) {}

  std::vector<Event> Poll(int64_t unix_ms) override;

 private:
  const std::string path_;
  std::string text_;  // as last seen; empty: no file
  std::optional<Notice> notice_;
};

// Nothing when `text` says no time; `unix_ms` is now.
std::optional<Notice> ParseNotice(const std::string& text, int64_t unix_ms);

}  // namespace baton::worker
