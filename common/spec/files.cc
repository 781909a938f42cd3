#include "common/spec/files.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::spec {
namespace {

constexpr absl::string_view kOnNode = "file://";

void AddSplit(const std::string& field, Split& split, std::vector<NamedFile>* files) {
  files->push_back({field + ".images", &split.images});
  files->push_back({field + ".labels", &split.labels});
}

// One pair of files against each other and against the model.
class SplitCheck {
 public:
  SplitCheck(const LookAtFile& look, std::string field, Reading* reading)
      : look_(look), field_(std::move(field)), reading_(*reading) {}

  void Run(Split* split) {
    const std::optional<idx::IdxSummary> images = Look("images", &split->images);
    const std::optional<idx::IdxSummary> labels = Look("labels", &split->labels);
    const bool good_images = images && CheckImages(split->images, *images);
    const bool good_labels = labels && CheckLabels(split->labels, *labels);
    if (!good_images || !good_labels || images->dims[0] == labels->dims[0]) return;
    Add("labels",
        absl::StrCat(split->labels.uri, " has ", labels->dims[0], " labels but ", split->images.uri,
                     " has ", images->dims[0], " images; name two files that belong together"));
  }

 private:
  // At the file's name, wherever it was written.
  void Add(const std::string& key, std::string message, const char* part = ".uri") {
    const std::string field = absl::StrCat(field_, ".", key);
    reading_.mistakes.Add(PlaceOf(reading_.tree, field + part), field, std::move(message));
  }

  std::optional<idx::IdxSummary> Look(const std::string& key, FileSource* source) {
    if (source->uri.empty()) return std::nullopt;  // a mistake of the text, told already
    auto summary = look_({absl::StrCat(field_, ".", key), source});
    if (summary.ok()) return *std::move(summary);
    const bool digest = absl::IsDataLoss(summary.status()) && !source->sha256.empty();
    Add(key, std::string(summary.status().message()), digest ? ".sha256" : ".uri");
    return std::nullopt;
  }

  bool CheckImages(const FileSource& source, const idx::IdxSummary& images) {
    if (images.dims.size() != 3 && images.dims.size() != 4) {
      Add("images", absl::StrCat(source.uri, " has ", images.dims.size(), " dimensions (",
                                 absl::StrJoin(images.dims, " x "),
                                 "); name a file of images, which have 3 (count, height, width) or "
                                 "4 (count, channels, height, width)"));
      return false;
    }
    Shape shape(images.dims.begin() + 1, images.dims.end());
    if (shape.size() == 2) shape.insert(shape.begin(), 1);
    // These are one input; what else a model may have is not known here.
    const std::vector<ModelInput>& inputs = reading_.spec.native->model.inputs;
    const Shape input = inputs.size() == 1 ? inputs[0].shape : Shape();
    if (!input.empty() && shape != input) {
      Add("images", absl::StrCat(source.uri, " holds samples of ", ShapeText(shape),
                                 " but model.input is ", ShapeText(input), "; make them equal"));
    }
    return true;
  }

  bool CheckLabels(const FileSource& source, const idx::IdxSummary& labels) {
    if (labels.dims.size() != 1) {
      Add("labels",
          absl::StrCat(source.uri, " has ", labels.dims.size(), " dimensions (",
                       absl::StrJoin(labels.dims, " x "), "); name a file of labels, which has 1"));
      return false;
    }
    const int64_t classes = reading_.spec.native->data.classes;
    if (classes > 0 && labels.largest >= classes) {
      Add("labels",
          absl::StrCat(source.uri, ": the label at byte ", labels.largest_at, " is ",
                       int{labels.largest}, ", but the model has ", classes, " classes (0 to ",
                       classes - 1, "); name the right file, or widen the last layer"));
    }
    return true;
  }

  const LookAtFile& look_;
  const std::string field_;
  Reading& reading_;
};

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

void CheckData(const LookAtFile& look, Reading* reading) {
  if (!reading->spec.native) return;
  Data& data = reading->spec.native->data;
  SplitCheck(look, "data.train", reading).Run(&data.train);
  if (data.test) SplitCheck(look, "data.test", reading).Run(&*data.test);
}

void CheckFiles(const std::string& spec_file, Reading* reading) {
  const std::string folder = std::filesystem::path(spec_file).parent_path().string();
  const auto look = [&](const NamedFile& file) -> absl::StatusOr<std::optional<idx::IdxSummary>> {
    if (IsOnNode(file.source->uri)) return std::nullopt;
    BATON_ASSIGN_OR_RETURN(const std::string path, ResolveUri(file.source->uri, folder));
    BATON_RETURN_IF_ERROR(VerifyFile(path, file.source->sha256));
    return idx::SummarizeIdx(path);
  };
  CheckData(look, reading);
}

}  // namespace baton::spec
