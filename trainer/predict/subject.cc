#include "trainer/predict/subject.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/spec/parse.h"
#include "common/spec/shapes.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "trainer/checkpoint/weights_in.h"
#include "trainer/data/make.h"
#include "trainer/spec_files.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> WeightsFile(const SubjectOptions& options) {
  if (!options.weights_file.empty()) return options.weights_file;
  if (options.model_dir.empty()) {
    return absl::InvalidArgumentError(
        "no model: give --model FOLDER (what a run left), or --weights FILE --spec FILE");
  }
  const std::string path = absl::StrCat(options.model_dir, "/", contract::kModelFile);
  std::error_code error;
  if (fs::exists(path, error)) return path;
  return absl::NotFoundError(absl::StrCat(
      "--model ", options.model_dir, ": there is no ", contract::kModelFile,
      " in it; name the output folder of a run that finished, or give --weights FILE"));
}

// Nothing: there is none.
absl::StatusOr<std::optional<ModelCard>> ReadCard(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  BATON_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  BATON_ASSIGN_OR_RETURN(ModelCard card, DecodeModelCard(text, path));
  return card;
}

// The data section, wherever its files lie: a job's spec was packed and names them otherwise.
std::string FormatText(spec::JobSpec job) {
  job.native->weights.reset();
  for (const spec::NamedFile& file : spec::NamedFiles(job)) *file.source = {};
  return spec::DataText(job.native->data);
}

bool SameModel(const spec::JobSpec& a, const spec::JobSpec& b) {
  return spec::ModelText(a.native->model) == spec::ModelText(b.native->model) &&
         FormatText(a) == FormatText(b);
}

// The spec's own data decide again what they decided in the training.
absl::Status LearnFromData(const SubjectOptions& options, spec::Reading reading, ModelCard* card) {
  spec::DataFiles files;
  ReadSpecData(options.data_dir, options.spec_file, &files, &reading);
  const absl::Status status = reading.mistakes.ToStatus();
  if (!status.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the spec scales or numbers its columns by the training's rows, and without ",
        kModelCardFile, " beside the weights these must be read again:\n", status.message(),
        "\ngive --model FOLDER (the run's output, with its ", kModelCardFile, "), or the data"));
  }
  const Datasets data = MakeDatasets(*reading.spec.native, reading.spec.seed, std::move(files));
  card->labels = data.train->labels();
  card->table = data.table;
  return absl::OkStatus();
}

absl::StatusOr<ModelCard> CardOf(const SubjectOptions& options, const std::string& weights_file) {
  const std::string card_file = (fs::path(weights_file).parent_path() / kModelCardFile).string();
  BATON_ASSIGN_OR_RETURN(std::optional<ModelCard> card, ReadCard(card_file));
  if (options.spec_file.empty()) {
    if (card) return *std::move(card);
    return absl::NotFoundError(
        absl::StrCat("no ", kModelCardFile, " beside ", weights_file,
                     ": give --spec FILE, the spec that the model was trained with"));
  }
  BATON_ASSIGN_OR_RETURN(spec::Reading reading,
                         spec::ReadSpecFile(options.spec_file, {.sets = options.sets}));
  if (!reading.spec.native.has_value() && !reading.spec.command.empty()) {
    reading.AddMistake("command", "there is nothing to predict with; name a spec with a `model:`");
  }
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  ModelCard own;
  own.spec = reading.spec;
  if (card && SameModel(card->spec, own.spec)) {
    own.labels = card->labels;
    own.table = card->table;
    return own;
  }
  if (card) {
    LogWarning(absl::StrCat(card_file, " is of another model or data than ", options.spec_file,
                            "; the spec is used"));
  }
  const auto* csv = std::get_if<spec::CsvData>(&own.spec.native->data.source);
  if (csv != nullptr && NeedsRows(*csv)) {
    BATON_RETURN_IF_ERROR(LearnFromData(options, std::move(reading), &own));
  }
  return own;
}

}  // namespace

absl::StatusOr<Subject> LoadSubject(const SubjectOptions& options) {
  Subject subject;
  BATON_ASSIGN_OR_RETURN(const std::string weights_file, WeightsFile(options));
  BATON_ASSIGN_OR_RETURN(subject.card, CardOf(options, weights_file));
  const spec::Model& model = subject.card.spec.native->model;
  BATON_ASSIGN_OR_RETURN(subject.plan, PlanOperations(model));
  BATON_ASSIGN_OR_RETURN(const std::vector<spec::LayerShape> shapes, spec::InferShapes(model));
  subject.output = shapes.back().out;
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, ModelParameters(model));
  subject.weights.resize(parameters.empty() ? 0
                                            : parameters.back().offset + parameters.back().count);
  std::vector<std::string> unused;
  BATON_RETURN_IF_ERROR(LoadWeights(weights_file, model, {}, absl::MakeSpan(subject.weights),
                                    &unused, spec::WeightsUse::kWhole));
  for (const std::string& name : unused) {
    LogWarning(absl::StrCat(weights_file, ": '", name, "' is not in the model"));
  }
  return subject;
}

}  // namespace baton::trainer
