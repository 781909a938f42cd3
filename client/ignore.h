// Which files of a working folder stay at home: gitignore's patterns, from `.batonignore` and a
// few that always hold (.git, .venv, node_modules, __pycache__, runs). Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace baton::client {

enum class EntryKind { kFile, kFolder };

class IgnoreRules {
 public:
  // `text` is the content of a `.batonignore`; later lines win, "!" takes back, "#" comments.
  explicit IgnoreRules(absl::string_view text);

  // `path` is relative to the folder, '/' between parts. What lies in an ignored folder is ignored
  // without asking.
  bool Ignores(const std::string& path, EntryKind kind) const;

 private:
  struct Rule {
    std::string pattern;
    bool negated = false;
    bool folders_only = false;
    bool anchored = false;  // to the folder itself; else it matches at any depth
  };
  std::vector<Rule> rules_;
};

}  // namespace baton::client
