#include "common/spec/files.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"

namespace baton::spec {
namespace {

constexpr absl::string_view kOnNode = "file://";

void AddSplit(const std::string& field, Split& split, std::vector<NamedFile>* files) {
  files->push_back({field + ".images", &split.images});
  files->push_back({field + ".labels", &split.labels});
}

}  // namespace

std::vector<NamedFile> NamedFiles(JobSpec& spec) {
  std::vector<NamedFile> files;
  if (!spec.native) return files;
  AddSplit("data.train", spec.native->data.train, &files);
  if (spec.native->data.test) AddSplit("data.test", *spec.native->data.test, &files);
  return files;
}

bool IsOnNode(absl::string_view uri) { return absl::StartsWith(uri, kOnNode); }

absl::StatusOr<std::string> ResolveUri(absl::string_view uri, const std::string& folder) {
  if (absl::StartsWith(uri, "file:///")) return std::string(uri.substr(kOnNode.size()));
  if (uri.empty() || absl::StrContains(uri, "://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", uri, "' can't be read; use a path, or file:///path"));
  }
  return (std::filesystem::path(folder) / std::string(uri)).lexically_normal().string();
}

absl::Status VerifyFile(const std::string& path, const std::string& sha256) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is a folder, not a file"));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (file == nullptr) return ErrnoStatus(errno, absl::StrCat("open ", path));
  Sha256 hash;
  std::string buffer(1 << 20, '\0');
  size_t n = 0;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    hash.Update(absl::string_view(buffer.data(), n));
  }
  if (std::ferror(file.get()) != 0) return ErrnoStatus(errno, absl::StrCat("read ", path));
  const std::string found = hash.FinishHex();
  if (sha256.empty() || found == sha256) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has the SHA-256 ", found, " but the spec says ", sha256));
}

absl::Status CheckFiles(const JobSpec& spec, const std::string& spec_file,
                        std::vector<Mistake>* mistakes) {
  const std::string folder = std::filesystem::path(spec_file).parent_path().string();
  JobSpec copy = spec;
  std::string text;
  if (mistakes != nullptr) mistakes->clear();
  for (const NamedFile& named : NamedFiles(copy)) {
    if (IsOnNode(named.source->uri)) continue;
    absl::StatusOr<std::string> path = ResolveUri(named.source->uri, folder);
    const absl::Status status = path.ok() ? VerifyFile(*path, named.source->sha256) : path.status();
    if (status.ok()) continue;
    Mistake mistake = {spec_file, named.source->line, named.field, ""};
    if (absl::IsNotFound(status)) {
      mistake.message = absl::StrCat(
          "no file ", *path, "; fetch it or mend the path (it starts at the spec's folder)");
    } else if (absl::IsDataLoss(status)) {
      mistake.message = absl::StrCat(status.message(), "; fetch the file again or mend the digest");
    } else {
      mistake.message = std::string(status.message());
    }
    absl::StrAppend(&text, text.empty() ? "" : "\n", MistakeText(mistake));
    if (mistakes != nullptr) mistakes->push_back(std::move(mistake));
  }
  return text.empty() ? absl::OkStatus() : absl::InvalidArgumentError(text);
}

}  // namespace baton::spec
