#include "client/command/submit_words.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/context.h"
#include "client/environment_file.h"
#include "client/folder_plan.h"
#include "client/render/format.h"
#include "common/spec/entry.h"
#include "common/spec/text.h"

namespace baton::client {
namespace {

// A command as a shell takes it, cut where it is long.
std::string CommandText(const std::vector<std::string>& words) {
  constexpr size_t kShown = 200;
  std::string text;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return absl::ascii_isalnum(c) || absl::StrContains("-_./=:,+@%", absl::string_view(&c, 1));
    });
    absl::StrAppend(
        &text, text.empty() ? "" : " ",
        plain ? word
              : absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}, {"\n", " "}}), "'"));
  }
  return spec::Shown(text, kShown);
}

}  // namespace

std::string PackedText(const PackagePlan& plan) {
  const auto count = plan.files.size() + 1;  // and the effective spec
  std::string text = absl::StrCat("packed ", count, count == 1 ? " file" : " files", " (",
                                  Bytes(plan.file_bytes), ")");
  if (!plan.data.empty()) {
    absl::StrAppend(&text, ", data ", plan.data.size(), " files ", Bytes(plan.data_bytes));
  }
  for (const DataPlan& set : plan.sets) {
    absl::StrAppend(&text, ", data ", set.name, " ", set.files.size(),
                    set.files.size() == 1 ? " file " : " files ", Bytes(set.bytes));
  }
  if (!plan.left_out.empty()) {
    absl::StrAppend(&text, "; left out: ", LeftOutText(plan.left_out));
  }
  return text;
}

void Warn(const std::string& text) { std::fprintf(stderr, "baton: warning: %s\n", text.c_str()); }

void WarnOfSecrets(const std::vector<std::string>& held_back) {
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < std::min(kShown, held_back.size()); ++i) {
    Warn(absl::StrCat(held_back[i],
                      " looks like a secret and stays here; if the job needs it, add "
                      "the line `!/",
                      held_back[i], "` to .batonignore"));
  }
  if (held_back.size() > kShown) {
    Warn(absl::StrCat("and ", held_back.size() - kShown, " more that look like secrets stay here"));
  }
}

// What is sent, and what runs: never in silence, since a folder holds more than its person knows.
void Tell(const JobSource& source, const PackagePlan& plan) {
  const std::vector<std::string> words = spec::ProgramWords(plan.spec);
  std::fprintf(stderr, "%s\n", PackedText(plan).c_str());
  if (words.empty()) return;
  std::fprintf(stderr, "runs: %s\n", CommandText(words).c_str());
  const std::filesystem::path file(source.spec_file);
  if (absl::StartsWith(file.filename().string(), "baton.")) {
    std::fprintf(stderr, "settings of %s hold\n", source.spec_file.c_str());
  }
  const std::string environment = EnvironmentNote(plan);
  if (!environment.empty()) std::fprintf(stderr, "%s\n", environment.c_str());
}

}  // namespace baton::client
