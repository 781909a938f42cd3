#include "common/spec/files.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::spec {
namespace {

constexpr absl::string_view kOnNode = "file://";

struct Lister {
  std::vector<NamedFile>* files;

  void Add(const std::string& field, ImageFiles& split) const {
    files->push_back({field + ".images", &split.images});
    files->push_back({field + ".labels", &split.labels});
  }

  void Add(const std::string& field, FileSource& file) const { files->push_back({field, &file}); }

  void Add(const std::string& field, ArrayFiles& split) const {
    for (auto& [input, source] : split.inputs) {
      const bool only = input == kModelInput;
      files->push_back(
          {only ? field + ".values" : absl::StrCat(field, ".inputs.", input), &source});
    }
    files->push_back({field + ".target", &split.target});
  }

  void operator()(FolderData& data) const {
    files->push_back({"data.train", &data.train, NamedFile::Kind::kFolder});
    if (data.test) files->push_back({"data.test", &*data.test, NamedFile::Kind::kFolder});
  }

  void operator()(SkipGramData& source) const {
    Add("data.train", source.train);
    if (source.pairs) Add("data.pairs", *source.pairs);
  }

  template <class Source>
  void operator()(Source& source) const {
    Add("data.train", source.train);
    if (source.test) Add("data.test", *source.test);
  }
};

}  // namespace

std::vector<NamedFile> NamedFiles(JobSpec& spec) {
  std::vector<NamedFile> files;
  if (!spec.native) return files;
  std::visit(Lister{&files}, spec.native->data.source);
  if (spec.native->weights) files.push_back({"weights", &spec.native->weights->file});
  return files;
}

bool IsOnNode(absl::string_view uri) { return absl::StartsWith(uri, kOnNode); }

absl::StatusOr<std::string> ResolveUri(absl::string_view uri, const std::string& folder) {
  // "photos/" is the folder "photos".
  if (uri.size() > 1) absl::ConsumeSuffix(&uri, "/");
  if (absl::StartsWith(uri, "file:///")) return std::string(uri.substr(kOnNode.size()));
  if (uri.empty() || absl::StrContains(uri, "://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", uri, "' can't be read; use a path, or file:///path"));
  }
  return (std::filesystem::path(folder) / std::string(uri)).lexically_normal().string();
}

absl::Status CheckPlainFile(const std::string& path) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  if (kind == std::filesystem::file_type::regular) return absl::OkStatus();
  if (kind == std::filesystem::file_type::directory) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is a folder, not a file; name the file in it"));
  }
  if (kind == std::filesystem::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(
        "no file ", path, "; fetch it or mend the path (it starts at the spec's folder)"));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("can't look at ", path));
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is a pipe or a device; name a plain file"));
}

absl::Status VerifyFile(const std::string& path, const std::string& sha256) {
  BATON_RETURN_IF_ERROR(CheckPlainFile(path));
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
  return absl::DataLossError(absl::StrCat(path, " has the SHA-256 ", found, " but the spec says ",
                                          sha256, "; fetch the file again or mend the digest"));
}

void CheckFiles(const std::string& spec_file, Reading* reading) {
  const std::string folder = std::filesystem::path(spec_file).parent_path().string();
  const auto find = [&](const NamedFile& file) -> absl::StatusOr<std::optional<std::string>> {
    if (IsOnNode(file.source->uri)) return std::nullopt;
    BATON_ASSIGN_OR_RETURN(const std::string path, ResolveUri(file.source->uri, folder));
    if (file.kind == NamedFile::Kind::kFile) {
      BATON_RETURN_IF_ERROR(VerifyFile(path, file.source->sha256));
    }
    return path;
  };
  CheckData(find, nullptr, reading);
}

}  // namespace baton::spec
