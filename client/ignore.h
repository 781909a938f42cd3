// Which files of a working folder stay at home: gitignore's patterns, from `.batonignore`, a few
// that always hold (.git, .venv, node_modules, __pycache__, runs, renv/library), and names that
// look like secrets. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace baton::client {

enum class EntryKind { kFile, kFolder };

enum class Verdict {
  kTaken,
  kAlways,   // by a pattern that always holds
  kSecret,   // looks like one: .env, id_rsa, credentials.json, ..
  kIgnored,  // by .batonignore
};

struct Ruling {
  Verdict verdict = Verdict::kTaken;
  std::string pattern;  // that decided, without its slashes at the ends; empty: none did
};

class IgnoreRules {
 public:
  // `text` is the content of a `.batonignore`; later lines win, "!" takes back, what always holds
  // and secrets too; "#" comments.
  explicit IgnoreRules(absl::string_view text);

  // `path` is relative to the folder, '/' between parts. What lies in an ignored folder is ignored
  // without asking.
  Ruling Judge(const std::string& path, EntryKind kind) const;
  bool Ignores(const std::string& path, EntryKind kind) const {
    return Judge(path, kind).verdict != Verdict::kTaken;
  }

 private:
  struct Rule {
    Verdict verdict = Verdict::kIgnored;
    std::string pattern;
    bool negated = false;
    bool folders_only = false;
    bool anchored = false;  // to the folder itself; else it matches at any depth
    int match_flags = 0;    // of fnmatch
  };

  void Add(Verdict verdict, absl::string_view text);

  std::vector<Rule> rules_;
};

}  // namespace baton::client
