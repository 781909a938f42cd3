#include "client/ignore.h"

#include <fnmatch.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/glob.h"

namespace baton::client {
namespace {

constexpr absl::string_view kAlways =
    ".git/\n.svn/\n.hg/\n.venv/\nnode_modules/\n__pycache__/\n.ipynb_checkpoints/\n/runs/\n"
    "**/renv/library/\n**/packrat/lib*/\n";

// Names by which programs find keys and passwords. Code that handles them is none of them.
constexpr absl::string_view kSecrets = R"(.env
.env.*
*.env
!.env.example
!.env.sample
!.env.template
*.pem
*.key
*.p12
*.pfx
*.ppk
*.kdbx
id_rsa
id_dsa
id_ecdsa
id_ecdsa_sk
id_ed25519
id_ed25519_sk
credentials*
*credentials*.json
!credentials*.py
!credentials*.R
!credentials*.sh
!credentials*.md
secrets.json
secrets.toml
secrets.yaml
secrets.yml
service-account*.json
service_account*.json
kaggle.json
.netrc
_netrc
.pgpass
.git-credentials
.pypirc
.npmrc
.Renviron
.htpasswd
.aws/
.azure/
.gnupg/
.kube/
.ssh/
)";

}  // namespace

IgnoreRules::IgnoreRules(absl::string_view text) {
  Add(Verdict::kAlways, kAlways);
  Add(Verdict::kSecret, kSecrets);
  Add(Verdict::kIgnored, text);
}

void IgnoreRules::Add(Verdict verdict, absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    Rule rule;
    rule.verdict = verdict;
    rule.negated = absl::ConsumePrefix(&line, "!");
    absl::ConsumePrefix(&line, "\\");
    rule.folders_only = absl::ConsumeSuffix(&line, "/");
    rule.anchored = absl::StrContains(line, '/');
    absl::ConsumePrefix(&line, "/");
    rule.pattern = std::string(line);
    if (verdict == Verdict::kSecret) rule.match_flags = FNM_CASEFOLD;
    if (!rule.pattern.empty()) rules_.push_back(std::move(rule));
  }
}

Ruling IgnoreRules::Judge(const std::string& path, EntryKind kind) const {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && kind != EntryKind::kFolder) continue;
    const bool matches =
        rule->anchored
            ? Glob(absl::StrSplit(rule->pattern, '/'), rule->match_flags).Matches(path)
            : ::fnmatch(rule->pattern.c_str(), parts.back().c_str(), rule->match_flags) == 0;
    if (!matches) continue;
    if (rule->negated) return {Verdict::kTaken, rule->pattern};
    absl::string_view shown = rule->pattern;
    absl::ConsumePrefix(&shown, "**/");
    return {rule->verdict, std::string(shown)};
  }
  return {};
}

}  // namespace baton::client
