#include "client/train_words.h"

#include "absl/strings/match.h"
#include "common/spec/entry.h"

namespace baton::client {
namespace {

bool IsFlag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// "--set" of "--set=lr=0.1", "-o" of "-ojson".
std::string FlagOf(const std::string& word) {
  if (!absl::StartsWith(word, "--")) return word.substr(0, 2);
  return word.substr(0, word.find('='));
}

// Whether the flag has its value in the same word.
bool HasValue(const std::string& word) {
  return absl::StartsWith(word, "--") ? absl::StrContains(word, '=') : word.size() > 2;
}

}  // namespace

TrainWords SplitTrainWords(const std::vector<std::string>& words,
                           const std::function<FlagKind(const std::string& flag)>& kind_of) {
  TrainWords split;
  bool of_script = false;
  size_t i = 0;
  for (; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") break;
    if (!IsFlag(word)) {
      if (!split.target.empty() && !spec::IsSpecName(split.target)) {
        of_script = true;
        break;
      }
      if (split.target.empty()) split.target = word;
      split.own.push_back(word);
      continue;
    }
    const FlagKind kind = kind_of(FlagOf(word));
    if (kind == FlagKind::kUnknown && !split.target.empty() && !spec::IsSpecName(split.target)) {
      of_script = true;
      break;
    }
    split.own.push_back(word);
    if (kind == FlagKind::kTakesAWord && !HasValue(word) && i + 1 < words.size()) {
      split.own.push_back(words[++i]);
    }
  }
  const bool dashes = i < words.size() && words[i] == "--" && !of_script;
  if (dashes) ++i;
  std::vector<std::string>& rest = split.target.empty() ? split.command : split.arguments;
  rest.assign(words.begin() + static_cast<int64_t>(i), words.end());
  if (dashes) return split;
  for (const std::string& word : rest) {
    if (word == "--") break;
    if (IsFlag(word) && kind_of(FlagOf(word)) != FlagKind::kUnknown) {
      split.doubtful.push_back(FlagOf(word));
    }
  }
  return split;
}

}  // namespace baton::client
