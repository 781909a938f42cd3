#include "common/spec/mistakes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

// One line, whatever the spec has in it.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    line += control ? ' ' : c;
  }
  return line;
}

}  // namespace

std::string MistakeText(const Mistake& mistake) {
  std::string text = mistake.file;
  if (mistake.line > 0) absl::StrAppend(&text, ":", mistake.line);
  if (!mistake.field.empty()) absl::StrAppend(&text, ": ", mistake.field);
  return OneLine(absl::StrCat(text, ": ", mistake.message));
}

void Mistakes::Add(Place place, std::string field, std::string message) {
  constexpr size_t kFieldShown = 200;
  field = Shown(field, kFieldShown);
  found_.push_back(
      {place, {source(place.source), place.line, std::move(field), std::move(message)}});
}

std::vector<Mistake> Mistakes::Sorted() const {
  auto sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.source, a.first.line) < std::pair(b.first.source, b.first.line);
  });
  std::vector<Mistake> mistakes;
  for (auto& [place, mistake] : sorted) mistakes.push_back(std::move(mistake));
  return mistakes;
}

absl::Status Mistakes::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string text;
  for (const Mistake& mistake : Sorted()) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", MistakeText(mistake));
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace baton::spec
