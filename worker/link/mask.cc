#include "worker/link/mask.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/job_limits.h"

namespace baton::worker {
namespace {

constexpr size_t kLineBytesMin = 16;

}  // namespace

Mask::Mask(const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    if (value.size() >= limits::kMaskedBytesMin) words_.push_back(value);
    if (!absl::StrContains(value, "\n")) continue;
    for (const absl::string_view line : absl::StrSplit(value, '\n')) {
      if (line.size() >= kLineBytesMin) words_.emplace_back(line);
    }
  }
  std::sort(words_.begin(), words_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
}

// The longest end of what is held that a word begins with.
size_t Mask::HeldBack() const {
  size_t longest = 0;
  for (const std::string& word : words_) {
    for (size_t n = std::min(word.size() - 1, held_.size()); n > longest; --n) {
      if (held_.compare(held_.size() - n, n, word, 0, n) == 0) longest = n;
    }
  }
  return longest;
}

// What is held from there on may yet become a value that is longer than the one found there.
bool Mask::MayGrow(size_t at, size_t length) const {
  const absl::string_view rest = absl::string_view(held_).substr(at);
  return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
    return word.size() > length && word.size() > rest.size() && absl::StartsWith(word, rest);
  });
}

std::string Mask::Take(bool is_last) {
  std::string out;
  size_t from = 0;
  while (true) {
    size_t at = std::string::npos;
    size_t length = 0;
    for (const std::string& word : words_) {
      const size_t found = held_.find(word, from);
      if (found >= at) continue;  // of two at one place the longer is first
      at = found;
      length = word.size();
    }
    if (at == std::string::npos || (!is_last && MayGrow(at, length))) break;
    absl::StrAppend(&out, absl::string_view(held_).substr(from, at - from), kMasked);
    from = at + length;
  }
  held_.erase(0, from);
  const size_t kept = is_last ? 0 : HeldBack();
  absl::StrAppend(&out, absl::string_view(held_).substr(0, held_.size() - kept));
  held_.erase(0, held_.size() - kept);
  return out;
}

std::string Mask::Feed(absl::string_view bytes) {
  if (empty()) return std::string(bytes);
  absl::StrAppend(&held_, bytes);
  return Take(false);
}

std::string Mask::Rest() { return Take(true); }

}  // namespace baton::worker
