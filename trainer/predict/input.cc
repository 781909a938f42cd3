#include "trainer/predict/input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/idx/gzip_file.h"
#include "common/spec/files.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

constexpr size_t kLookedAtBytes = 512;

std::string NamesText(const spec::Model& model) {
  return absl::StrJoin(model.inputs, ", ", [](std::string* out, const spec::ModelInput& input) {
    absl::StrAppend(out, input.name);
  });
}

// "FILE.npz:MEMBER" where FILE is there and the whole is not.
InputFile Split(const std::string& text) {
  const size_t colon = text.rfind(".npz:");
  std::error_code error;
  if (colon == std::string::npos || std::filesystem::exists(text, error)) return {text, ""};
  return {text.substr(0, colon + 4), text.substr(colon + 5)};
}

// Ids that the embeddings which take the input have: the fewest; 0 when none takes it.
int64_t VocabularyOf(const spec::Model& model, const std::string& input) {
  int64_t fewest = 0;
  for (const spec::Layer& layer : model.layers) {
    const auto* embedding = std::get_if<spec::Embedding>(&layer.op);
    if (embedding == nullptr || layer.inputs != std::vector<std::string>{input}) continue;
    if (fewest == 0 || embedding->vocabulary < fewest) fewest = embedding->vocabulary;
  }
  return fewest;
}

}  // namespace

absl::StatusOr<FileKind> KindOf(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return FileKind::kImages;
  BATON_RETURN_IF_ERROR(spec::CheckPlainFile(path));
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<idx::GzipFile> file, idx::GzipFile::Open(path));
  std::array<uint8_t, kLookedAtBytes> bytes{};
  BATON_ASSIGN_OR_RETURN(const size_t size, file->Read(bytes.data(), bytes.size()));
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
  if (absl::StartsWith(text, "\x93NUMPY")) return FileKind::kArray;
  if (absl::StartsWith(text, "PK\x03\x04")) return FileKind::kArchive;
  if (absl::StartsWith(text, absl::string_view("\0\0\x08", 3))) return FileKind::kIdx;
  if (absl::StartsWith(text, "\x89PNG") || absl::StartsWith(text, "\xff\xd8\xff")) {
    return FileKind::kImages;
  }
  if (!absl::StrContains(text, '\0')) return FileKind::kTable;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": is neither NPY, NPZ, IDX, CSV, JPEG nor PNG; save it with numpy.save"));
}

absl::StatusOr<std::vector<InputFile>> InputFiles(const spec::Model& model,
                                                  const std::vector<std::string>& files) {
  if (files.empty()) {
    return absl::InvalidArgumentError("no samples: give --input FILE, e.g. --input x.npy");
  }
  std::vector<InputFile> found(model.inputs.size());
  std::vector<bool> given(model.inputs.size());
  for (const std::string& text : files) {
    size_t at = 0;
    std::string file = text;
    const size_t equals = text.find('=');
    if (model.inputs.size() > 1 && files.size() > 1) {
      const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
      while (at < found.size() && model.inputs[at].name != name) ++at;
      if (at == found.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--input ", text, ": the model's inputs are ", NamesText(model),
                         "; write NAME=FILE for each"));
      }
      file = text.substr(equals + 1);
    } else if (files.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--input: ", files.size(), " files, but the model has one input"));
    }
    if (given[at]) {
      return absl::InvalidArgumentError(
          absl::StrCat("--input: two files for ", model.inputs[at].name));
    }
    given[at] = true;
    found[at] = Split(file);
  }
  if (files.size() == 1) {
    // One file for all: of an archive each input has the member of its name.
    for (size_t i = 0; i < found.size() && found.size() > 1; ++i) {
      found[i] = {found[0].path, model.inputs[i].name};
    }
    return found;
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (given[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat("--input: no file for ", model.inputs[i].name,
                                                   "; the model's inputs are ", NamesText(model)));
  }
  return found;
}

absl::StatusOr<std::unique_ptr<Input>> OpenInput(const Subject& subject,
                                                 const std::vector<std::string>& files) {
  const spec::Model& model = subject.card.spec.native->model;
  BATON_ASSIGN_OR_RETURN(const std::vector<InputFile> inputs, InputFiles(model, files));
  BATON_ASSIGN_OR_RETURN(const FileKind kind, KindOf(inputs[0].path));
  const bool arrays = kind == FileKind::kArray || kind == FileKind::kArchive;
  if (inputs.size() > 1 && files.size() == 1 && kind == FileKind::kArray) {
    return absl::InvalidArgumentError(
        absl::StrCat(files[0], ": is one array, but the model's inputs are ", NamesText(model),
                     "; write --input NAME=FILE for each, or give an .npz with these members"));
  }
  if (arrays) return OpenArrays(model, inputs);
  if (kind == FileKind::kIdx) return OpenIdx(model, inputs[0].path);
  if (kind == FileKind::kTable) return OpenTable(subject, inputs[0].path);
  return OpenImages(*subject.card.spec.native, inputs[0].path);
}

absl::Status CheckIds(const spec::Model& model, const Batch& batch,
                      const std::vector<std::string>& names) {
  const float* values = batch.values.data();
  for (const spec::ModelInput& input : model.inputs) {
    const int64_t size = spec::ElementCount(input.shape);
    const int64_t ids = VocabularyOf(model, input.name);
    for (int64_t i = 0; ids > 0 && i < batch.count * size; ++i) {
      const float id = values[i];
      if (id >= 0 && id < static_cast<float>(ids) && id == std::floor(id)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "sample ", names[static_cast<size_t>(i / size)], ", value ", i % size, " of ", input.name,
          " is ", spec::NumberText(id), ", which is no id: the embedding has a vocabulary of ", ids,
          " (0 to ", ids - 1, ")"));
    }
    values += batch.count * size;
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
