#include "common/spec/parse.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/spec/override.h"
#include "common/spec/read_spec.h"
#include "common/spec/short_keys.h"
#include "common/status.h"

namespace baton::spec {
namespace {

// Fields of this spec, found by reading it once without the overrides.
Schema SchemaOf(const Value& root, const Defaults& defaults, size_t sources) {
  Mistakes ignored((std::vector<std::string>(sources)));
  Context context{ignored, {}};
  ReadJob(root, defaults, context);
  return context.schema;
}

// Whatever the reason, it is the path that its person gave.
absl::Status Unreadable(const std::string& path, int error_number) {
  const std::string text =
      absl::StrCat("can't read the spec ", path, ": ", std::strerror(error_number),
                   "; mend the path, or the file");
  const bool missing = error_number == ENOENT || error_number == ENOTDIR;
  return missing ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
}

absl::StatusOr<JobSpec> SpecOf(Reading reading, std::vector<Mistake>* mistakes) {
  if (mistakes != nullptr) *mistakes = reading.mistakes.Sorted();
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  return std::move(reading.spec);
}

// `root` is a map.
void ReadTree(Value root, const std::string& file, const Overrides& overrides, Reading* reading) {
  Mistakes& found = reading->mistakes;
  const size_t sources = OverrideNames(overrides).size() + 1;
  const Defaults defaults = {
      overrides.default_name.empty() ? NameFromFile(file) : overrides.default_name,
      DefaultShards(root)};
  LiftShortKeys(&root, found);
  ApplyOverrides(overrides, SchemaOf(root, defaults, sources), &root, found);
  SplitGpuTypes(&root);
  Context context{found, {}};
  reading->spec = ReadJob(root, defaults, context);
  reading->tree = std::move(root);
}

Mistakes MistakesOf(const std::string& file, const Overrides& overrides) {
  std::vector<std::string> sources = OverrideNames(overrides);
  sources.insert(sources.begin(), file);
  return Mistakes(std::move(sources));
}

}  // namespace

std::string NameFromFile(const std::string& file) {
  std::string name = std::filesystem::path(file).stem().string().substr(0, 63);
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '-';
  }
  if (name.empty() || !absl::ascii_isalnum(name[0]) || name == "latest") return "job";
  return name;
}

void Reading::AddMistake(const std::string& field, std::string message) {
  mistakes.Add(PlaceOf(tree, field), field, std::move(message));
}

Reading ReadSpecText(absl::string_view text, const std::string& file, const Overrides& overrides) {
  Reading reading{{}, {}, MistakesOf(file, overrides)};
  Mistakes& found = reading.mistakes;
  if (text.size() > kSpecBytesMax) {
    found.Add({}, "", "longer than 1 MiB; a spec is a short text, data goes into files of its own");
    return reading;
  }
  Value root = ParseTree(text, 0, found);
  if (root.kind == Value::Kind::kNull && !overrides.settings.empty() && found.empty()) {
    root.kind = Value::Kind::kMap;  // all of it comes from elsewhere
  }
  if (root.kind != Value::Kind::kMap) {
    if (found.empty() && root.kind == Value::Kind::kNull) {
      found.Add({}, "", "is empty; a spec has at least `model:` or `command:`");
    } else if (found.empty()) {
      found.Add(root.place, "", "must be a map of fields such as `epochs: 16`");
    }
    return reading;
  }
  ReadTree(std::move(root), file, overrides, &reading);
  return reading;
}

Reading ReadSettings(const std::string& file, const Overrides& overrides) {
  Reading reading{{}, {}, MistakesOf(file, overrides)};
  Value root;
  root.kind = Value::Kind::kMap;
  ReadTree(std::move(root), file, overrides, &reading);
  return reading;
}

absl::StatusOr<Reading> ReadSpecFile(const std::string& path, const Overrides& overrides) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a folder; name the spec file in it"));
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Unreadable(path, errno);
  // One byte more than allowed tells a file that is too long, /dev/zero too.
  std::string text(kSpecBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return Unreadable(path, errno);
  text.resize(static_cast<size_t>(stream.gcount()));
  return ReadSpecText(text, path, overrides);
}

absl::StatusOr<JobSpec> ParseText(absl::string_view text, const std::string& file,
                                  const Overrides& overrides, std::vector<Mistake>* mistakes) {
  return SpecOf(ReadSpecText(text, file, overrides), mistakes);
}

absl::StatusOr<JobSpec> ParseFile(const std::string& path, const Overrides& overrides,
                                  std::vector<Mistake>* mistakes) {
  if (mistakes != nullptr) mistakes->clear();
  BATON_ASSIGN_OR_RETURN(Reading reading, ReadSpecFile(path, overrides));
  return SpecOf(std::move(reading), mistakes);
}

}  // namespace baton::spec
