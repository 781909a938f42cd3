#include "common/spec/flags_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace baton::spec {
namespace {

// From the one that wins to the weakest.
constexpr const char* kContexts[] = {"baton", "cloudml", "default"};

bool IsWord(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; }

std::string Canonical(absl::string_view name) {
  std::string canonical(name);
  std::replace(canonical.begin(), canonical.end(), '-', '_');
  return canonical;
}

// The word at the start of `text`; empty when it begins with another character.
std::string WordAt(absl::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsWord);
  return std::string(text.begin(), end);
}

void AddSection(const Value& section, const std::string& file, FlagsFile* flags) {
  for (const Entry& entry : section.entries) {
    if (entry.key == "inherits") continue;  // R's config: what all sections do here
    Setting setting = {.source = file,
                       .line = entry.place.line,
                       .path = {"params", entry.key},
                       .value = entry.value,
                       .weak = true};
    flags->settings.push_back(std::move(setting));
    flags->declared.insert(Canonical(entry.key));
  }
}

void AddRefusal(const std::string& file, int line, std::string message, FlagsFile* flags) {
  flags->settings.push_back({.source = file, .line = line, .refusal = std::move(message)});
}

// Whether `name` stands in the text as a word, - and _ being one.
bool Names(const std::string& text, const std::string& name) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const bool begins = at == 0 || !(absl::ascii_isalnum(text[at - 1]));
    const size_t end = at + name.size();
    if (begins && (end == text.size() || !absl::ascii_isalnum(text[end]))) return true;
  }
  return false;
}

}  // namespace

FlagsFile ReadFlagsFile(absl::string_view text, const std::string& file) {
  FlagsFile flags;
  Mistakes mistakes({file});
  const Value root = ParseTree(text, 0, mistakes);
  for (const Mistake& mistake : mistakes.Sorted()) {
    AddRefusal(file, mistake.line, mistake.message, &flags);
  }
  if (!mistakes.empty() || root.kind == Value::Kind::kNull) return flags;
  if (root.kind != Value::Kind::kMap) {
    AddRefusal(file, root.place.line, "must be a map of flags such as `dropout: 0.3`", &flags);
    return flags;
  }
  bool has_sections = false;
  for (const char* context : kContexts) {
    const Value* section = root.Find(context);
    if (section == nullptr || section->kind != Value::Kind::kMap) continue;
    has_sections = true;
    AddSection(*section, file, &flags);
  }
  if (!has_sections) AddSection(root, file, &flags);
  return flags;
}

std::set<std::string> DeclaredFlags(absl::string_view script) {
  std::set<std::string> declared;
  for (size_t at = script.find("flag_"); at != absl::string_view::npos;
       at = script.find("flag_", at + 1)) {
    absl::string_view rest = script.substr(at);
    if (!absl::ConsumePrefix(&rest, "flag_numeric") &&
        !absl::ConsumePrefix(&rest, "flag_integer") &&
        !absl::ConsumePrefix(&rest, "flag_boolean") && !absl::ConsumePrefix(&rest, "flag_string")) {
      continue;
    }
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (!absl::ConsumePrefix(&rest, "(")) continue;
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (absl::ConsumePrefix(&rest, "name")) {
      rest = absl::StripLeadingAsciiWhitespace(rest);
      if (!absl::ConsumePrefix(&rest, "=")) continue;
      rest = absl::StripLeadingAsciiWhitespace(rest);
    }
    if (!absl::ConsumePrefix(&rest, "\"") && !absl::ConsumePrefix(&rest, "'")) continue;
    const std::string name = WordAt(rest);
    if (!name.empty()) declared.insert(Canonical(name));
  }
  for (size_t at = script.find("--"); at != absl::string_view::npos;
       at = script.find("--", at + 1)) {
    if (at == 0 || (script[at - 1] != '"' && script[at - 1] != '\'')) continue;
    const std::string name = WordAt(script.substr(at + 2));
    const size_t end = at + 2 + name.size();
    const bool closed = end < script.size() && script[end] == script[at - 1];
    if (closed && !name.empty() && absl::ascii_isalpha(name[0])) declared.insert(Canonical(name));
  }
  return declared;
}

std::vector<std::string> UndeclaredFlags(const std::vector<std::string>& flags,
                                         const std::set<std::string>& declared,
                                         absl::string_view script) {
  std::set<std::string> known = DeclaredFlags(script);
  known.insert(declared.begin(), declared.end());
  std::vector<std::string> undeclared;
  if (known.empty()) return undeclared;
  const std::string text = Canonical(script);
  for (const std::string& flag : flags) {
    const std::string name = Canonical(flag);
    if (known.count(name) == 0 && !Names(text, name)) undeclared.push_back(flag);
  }
  return undeclared;
}

}  // namespace baton::spec
