#include "common/spec/parse.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/spec/override.h"
#include "common/spec/read_spec.h"
#include "common/spec/tree.h"

namespace baton::spec {
namespace {

// A spec "my job.yaml" without a name is the job "my-job".
std::string NameFromFile(const std::string& file) {
  std::string name = std::filesystem::path(file).stem().string().substr(0, 63);
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '-';
  }
  if (name.empty() || !absl::ascii_isalnum(name[0]) || name == "latest") return "job";
  return name;
}

// One line, whatever the spec has in it.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    line += control ? ' ' : c;
  }
  return line;
}

absl::Status Joined(const Mistakes& found, std::vector<Mistake>* mistakes) {
  std::vector<Mistake> sorted = found.Sorted();
  std::string text;
  for (const Mistake& mistake : sorted) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", MistakeText(mistake));
  }
  if (mistakes != nullptr) *mistakes = std::move(sorted);
  return absl::InvalidArgumentError(text);
}

// Fields of this spec, found by reading it once without the overrides.
Schema SchemaOf(const Value& root, const Defaults& defaults, size_t sources) {
  Mistakes ignored((std::vector<std::string>(sources)));
  Context context{ignored, {}};
  ReadJob(root, defaults, context);
  return context.schema;
}

}  // namespace

std::string MistakeText(const Mistake& mistake) {
  std::string text = mistake.file;
  if (mistake.line > 0) absl::StrAppend(&text, ":", mistake.line);
  if (!mistake.field.empty()) absl::StrAppend(&text, ": ", mistake.field);
  return OneLine(absl::StrCat(text, ": ", mistake.message));
}

absl::StatusOr<JobSpec> ParseText(absl::string_view text, const std::string& file,
                                  const Overrides& overrides, std::vector<Mistake>* mistakes) {
  std::vector<std::string> sources = OverrideNames(overrides);
  sources.insert(sources.begin(), file);
  Mistakes found(sources);
  if (mistakes != nullptr) mistakes->clear();
  if (text.size() > kSpecBytesMax) {
    found.Add({}, "", "longer than 1 MiB; a spec is a short text, data goes into files of its own");
    return Joined(found, mistakes);
  }
  Value root = ParseTree(text, 0, found);
  if (root.kind != Value::Kind::kMap) {
    if (found.empty() && root.kind == Value::Kind::kNull) {
      found.Add({}, "", "is empty; a spec has at least `model:` or `command:`");
    } else if (found.empty()) {
      found.Add(root.place, "", "must be a map of fields such as `epochs: 16`");
    }
    return Joined(found, mistakes);
  }
  const Defaults defaults = {NameFromFile(file), DefaultShards(root)};
  ApplyOverrides(overrides, SchemaOf(root, defaults, sources.size()), &root, found);
  Context context{found, {}};
  JobSpec spec = ReadJob(root, defaults, context);
  if (!found.empty()) return Joined(found, mistakes);
  return spec;
}

absl::StatusOr<JobSpec> ParseFile(const std::string& path, const Overrides& overrides,
                                  std::vector<Mistake>* mistakes) {
  if (mistakes != nullptr) mistakes->clear();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a folder; name the spec file in it"));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return ErrnoStatus(errno, absl::StrCat("can't read the spec ", path));
  // One byte more than allowed tells a file that is too long, /dev/zero too.
  std::string text(kSpecBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return absl::UnavailableError(absl::StrCat("can't read the spec ", path));
  text.resize(static_cast<size_t>(stream.gcount()));
  return ParseText(text, path, overrides, mistakes);
}

}  // namespace baton::spec
