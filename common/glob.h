// Patterns for paths inside a folder, as .gitignore has them: `*`, `?` and `[..]` within a part,
// `**` for any number of parts (at the end: at least one). A pattern without a slash, but at its
// end, matches at any depth; "./x" is x in the folder itself.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton {

inline constexpr size_t kGlobBytesMax = 1024;

class Glob {
 public:
  // `pattern` is relative; a slash at its end means all that lies in that folder.
  explicit Glob(absl::string_view pattern);
  // Of a pattern that is cut up already, from the folder itself on.
  // `match_flags` as fnmatch has them.
  explicit Glob(std::vector<std::string> parts, int match_flags = 0)
      : parts_(std::move(parts)), match_flags_(match_flags) {}

  // `path` is relative, '/' between parts.
  bool Matches(absl::string_view path) const;
  // Whether something below the folder `path` can match; "" is the folder itself.
  bool MayMatchBelow(absl::string_view path) const;

 private:
  // Which parts of the pattern may come next, after those of `path`; the last one: it has ended.
  std::vector<bool> After(absl::string_view path) const;

  std::vector<std::string> parts_;
  int match_flags_ = 0;
};

// Whether the pattern can name a file in a folder. The message of InvalidArgument goes on from the
// pattern's place.
absl::Status CheckGlob(absl::string_view pattern);

}  // namespace baton
