#include "client/ignore.h"

#include <fnmatch.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/glob.h"

namespace baton::client {
namespace {

constexpr absl::string_view kAlways = ".git/\n.venv/\nnode_modules/\n__pycache__/\n/runs/\n";

}  // namespace

IgnoreRules::IgnoreRules(absl::string_view text) {
  for (const absl::string_view source : {kAlways, text}) {
    for (absl::string_view line : absl::StrSplit(source, '\n')) {
      absl::ConsumeSuffix(&line, "\r");
      line = absl::StripTrailingAsciiWhitespace(line);
      if (line.empty() || absl::StartsWith(line, "#")) continue;
      Rule rule;
      rule.negated = absl::ConsumePrefix(&line, "!");
      absl::ConsumePrefix(&line, "\\");
      rule.folders_only = absl::ConsumeSuffix(&line, "/");
      rule.anchored = absl::StrContains(line, '/');
      absl::ConsumePrefix(&line, "/");
      rule.pattern = std::string(line);
      if (!rule.pattern.empty()) rules_.push_back(std::move(rule));
    }
  }
}

bool IgnoreRules::Ignores(const std::string& path, EntryKind kind) const {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && kind != EntryKind::kFolder) continue;
    const bool matches = rule->anchored
                             ? Glob(absl::StrSplit(rule->pattern, '/')).Matches(path)
                             : ::fnmatch(rule->pattern.c_str(), parts.back().c_str(), 0) == 0;
    if (matches) return !rule->negated;
  }
  return false;
}

}  // namespace baton::client
