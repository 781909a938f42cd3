#include "common/spec/check_data.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"

namespace baton::spec {

void DataCheck::Add(const std::string& field, std::string message, const char* part) {
  reading_.mistakes.Add(PlaceOf(reading_.tree, field + part), field, std::move(message));
}

std::optional<std::string> DataCheck::Find(const std::string& field, FileSource* source,
                                           Kind kind) {
  if (source->uri.empty()) return std::nullopt;
  absl::StatusOr<std::optional<std::string>> path = find_({field, source, kind});
  if (path.ok()) return *std::move(path);
  const bool digest = absl::IsDataLoss(path.status()) && !source->sha256.empty();
  Add(field, std::string(path.status().message()), digest ? ".sha256" : ".uri");
  return std::nullopt;
}

std::optional<DataCheck::Target> DataCheck::target() const {
  const absl::StatusOr<std::vector<LayerShape>> shapes = InferShapes(model());
  if (!shapes.ok() || shapes->empty()) return std::nullopt;
  Target target;
  target.output = shapes->back().out;
  target.labels = model().loss == Loss::kSoftmaxCrossEntropy;
  target.count = ElementCount(target.output);
  if (target.labels) target.count = target.output.size() == 2 ? target.output[0] : 1;
  return target;
}

int64_t DataCheck::VocabularyOf(const std::string& input) const {
  int64_t fewest = 0;
  for (const Layer& layer : model().layers) {
    const auto* embedding = std::get_if<Embedding>(&layer.op);
    if (embedding == nullptr || layer.inputs != std::vector<std::string>{input}) continue;
    if (fewest == 0 || embedding->vocabulary < fewest) fewest = embedding->vocabulary;
  }
  return fewest;
}

std::string DataCheck::FieldOf(const ModelInput& input) {
  return input.name == kModelInput ? "model.input" : absl::StrCat("model.inputs.", input.name);
}

void CheckData(const FindFile& find, DataFiles* kept, Reading* reading) {
  if (!reading->spec.native) return;
  DataCheck check(find, kept, reading);
  auto& source = reading->spec.native->data.source;
  if (auto* idx = std::get_if<IdxData>(&source)) CheckImages(check, *idx);
  if (auto* csv = std::get_if<CsvData>(&source)) CheckTables(check, *csv);
  if (auto* npy = std::get_if<NpyData>(&source)) CheckArrays(check, *npy);
  if (auto* folders = std::get_if<FolderData>(&source)) CheckFolders(check, *folders);
  if (auto* text = std::get_if<TextData>(&source)) CheckTexts(check, *text);
  if (auto* text = std::get_if<SkipGramData>(&source)) CheckSkipGram(check, *text);
  CheckWeights(find, kept, reading);
}

}  // namespace baton::spec
