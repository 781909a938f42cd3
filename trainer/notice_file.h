// The file that BATON_DEADLINE_FILE names: a notice that this node will go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace baton::trainer {

// One thread.
class NoticeFile {
 public:
  explicit NoticeFile(std::string path) : path_(std::move(path)) {}

  // Whether it is there; once it was, it stays so. Looks now and then only. `now_ms` is monotonic.
  bool Seen(int64_t now_ms);
  // What it says, if it can be read.
  std::optional<int64_t> deadline_unix_ms() const { return deadline_unix_ms_; }

 private:
  const std::string path_;  // empty: no notices
  bool seen_ = false;
  std::optional<int64_t> deadline_unix_ms_;
  int64_t looked_ms_ = 0;
};

}  // namespace baton::trainer
