#include "common/glob.h"

#include <fnmatch.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/printable.h"

namespace baton {
namespace {

constexpr char kAnyParts[] = "**";

// Where `**` may stand for nothing, what follows it may come next, too.
void SkipEmpty(const std::vector<std::string>& parts, std::vector<bool>& next) {
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (next[i] && parts[i] == kAnyParts) next[i + 1] = true;
  }
}

}  // namespace

Glob::Glob(absl::string_view pattern) {
  const bool all_inside = absl::ConsumeSuffix(&pattern, "/");
  const bool anchored = absl::ConsumePrefix(&pattern, "./") || absl::StrContains(pattern, '/');
  if (!anchored) parts_.emplace_back(kAnyParts);
  for (const absl::string_view part : absl::StrSplit(pattern, '/')) parts_.emplace_back(part);
  if (all_inside) parts_.emplace_back(kAnyParts);
}

std::vector<bool> Glob::After(absl::string_view path) const {
  std::vector<bool> next(parts_.size() + 1, false);
  next[0] = true;
  SkipEmpty(parts_, next);
  if (path.empty()) return next;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    const std::string text(part);
    std::vector<bool> then(parts_.size() + 1, false);
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (!next[i]) continue;
      if (parts_[i] == kAnyParts) {
        then[i] = true;
        if (i + 1 == parts_.size()) then[i + 1] = true;
      } else if (::fnmatch(parts_[i].c_str(), text.c_str(), match_flags_) == 0) {
        then[i + 1] = true;
      }
    }
    next = std::move(then);
    SkipEmpty(parts_, next);
  }
  return next;
}

bool Glob::Matches(absl::string_view path) const { return After(path).back(); }

bool Glob::MayMatchBelow(absl::string_view path) const {
  const std::vector<bool> next = After(path);
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (next[i]) return true;
  }
  return false;
}

absl::Status CheckGlob(absl::string_view pattern) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", Printable(pattern, 80), "' ", what));
  };
  if (pattern.empty()) return wrong("names no file; write e.g. out/*.pt");
  if (pattern.size() > kGlobBytesMax) {
    return wrong(absl::StrCat("is longer than ", kGlobBytesMax, " bytes; shorten it"));
  }
  for (const char c : pattern) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return wrong("has a control character; remove it");
    }
  }
  if (pattern[0] == '/') {
    return wrong("is absolute; write it relative to the working folder, e.g. out/*.pt");
  }
  absl::string_view inner = pattern;
  absl::ConsumePrefix(&inner, "./");
  absl::ConsumeSuffix(&inner, "/");
  for (const absl::string_view part : absl::StrSplit(inner, '/')) {
    if (part == "..") {
      return wrong("leaves the working folder; name files inside of it, e.g. out/*.pt");
    }
    if (part.empty() || part == ".") {
      return wrong("has an empty part and names no file; write e.g. out/*.pt");
    }
  }
  return absl::OkStatus();
}

}  // namespace baton
