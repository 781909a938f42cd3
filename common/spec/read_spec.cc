#include "common/spec/read_spec.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/job_limits.h"
#include "common/spec/shapes.h"
#include "common/spec/short_keys.h"

namespace baton::spec {
namespace {

// Fields that mean something only where Baton itself trains.
constexpr std::array<const char*, 13> kNativeFields = {
    "shards",        "epochs",     "batch_size",      "shuffle",
    "data",          "model",      "weights",         "optimizer",
    "cpu_isa",       "algorithms", "log_every_steps", "evaluate_every_epochs",
    "early_stopping"};

// [A-Za-z0-9][A-Za-z0-9._-]*, at most 63.
bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 63 && absl::ascii_isalnum(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

void ReadName(MapReader& job, const std::string& key, std::string* name) {
  job.Text(key, name);
  if (!IsName(*name)) {
    job.AddMistake(key,
                   absl::StrCat("'", Shown(*name, 63),
                                "' is no name; use letters, digits, '.', '_' and '-', a letter "
                                "or digit first, at most 63"));
  } else if (key == "name" && *name == "latest") {
    job.AddMistake(key, "'latest' means the newest job everywhere; choose another name");
  }
}

// `every: auto`, with its floor and ceiling, or a time.
void ReadInterval(MapReader& fields, CheckpointPolicy* checkpoint) {
  const Value* every = fields.Get("every");
  const bool chosen = every == nullptr || every->text == "auto";
  const bool fixed = checkpoint->every_steps > 0 || checkpoint->every_ms > 0;
  if (every != nullptr && fixed) {
    fields.AddMistake("every", "given beside every_steps or every_s; remove one");
  } else if (!chosen) {
    fields.DurationMs("every", &checkpoint->every_ms);
  }
  for (const char* bound : {"at_least", "at_most"}) {
    if (!fields.Has(bound) || (chosen && !fixed)) continue;
    fields.AddMistake(bound, "is for `every: auto`; the interval is given, so remove one of both");
  }
  fields.DurationMs("at_least", &checkpoint->at_least_ms);
  fields.DurationMs("at_most", &checkpoint->at_most_ms);
  int64_t& least_ms = checkpoint->at_least_ms;
  int64_t& most_ms = checkpoint->at_most_ms;
  // One that is not given makes room for the other.
  if (!fields.Has("at_least")) least_ms = std::min(least_ms, most_ms);
  if (!fields.Has("at_most")) most_ms = std::max(least_ms, most_ms);
  if (least_ms > most_ms) fields.AddMistake("at_least", "is longer than at_most");
}

void ReadCheckpoint(MapReader& job, CheckpointPolicy* checkpoint) {
  MapReader fields = job.Map("checkpoint");
  double every_s = 0;
  fields.Int("every_steps", {1, 1'000'000'000}, &checkpoint->every_steps);
  fields.Number("every_s", {.min = 0.1, .max = 1e9}, &every_s);
  checkpoint->every_ms = std::llround(every_s * 1000);
  if (fields.Has("every_steps") && fields.Has("every_s")) {
    fields.AddMistake("every_s", "given beside every_steps; remove one");
  }
  ReadInterval(fields, checkpoint);
  fields.Int("keep", {1, limits::kCheckpointsKeptMax}, &checkpoint->keep);
  const Value* from = fields.Get("from");
  if (from != nullptr && from->text == "all") {
    fields.AddMistake("from", "'all' (a checkpoint of node parts) comes later; use any or rank0");
  } else {
    fields.Choice<CheckpointPolicy::From>(
        "from", {{"any", CheckpointPolicy::From::kAny}, {"rank0", CheckpointPolicy::From::kRank0}},
        &checkpoint->from);
  }
  fields.Finish();
}

void CheckShards(MapReader& job, const RanksRange& ranks, const NativeSpec& native) {
  const std::string origin =
      job.Has("shards") ? "" : ", the default that follows from the file's own ranks";
  if (ranks.max > native.shards) {
    job.AddMistake("ranks", absl::StrCat("up to ", ranks.max, " ranks but ", native.shards,
                                         native.shards == 1 ? " shard" : " shards", origin,
                                         "; use fewer ranks, or set `shards` to ", ranks.max,
                                         " or more (other shards, other weights)"));
  }
  if (native.batch_size > 0 && native.batch_size < native.shards) {
    job.AddMistake("batch_size",
                   absl::StrCat("a batch of ", native.batch_size, " can't fill ", native.shards,
                                " shards", origin, "; make it larger or use fewer shards"));
  }
}

// Where the width of the last layer, or the number of classes, was given: the newest of both.
Place PlaceOfClasses(MapReader& job) {
  const Value* model = job.Get("model");
  const Value* layers = model == nullptr ? nullptr : model->Find("layers");
  const Value* data = job.Get("data");
  const Value* classes = data == nullptr ? nullptr : data->Find("classes");
  const Place width = layers == nullptr ? Place{} : NewestPlace(layers->items.back());
  if (classes == nullptr || classes->place.source <= width.source) return width;
  return classes->place;
}

void CheckClasses(MapReader& job, NativeSpec* native, Context& context) {
  if (native->model.loss != Loss::kSoftmaxCrossEntropy) {
    if (native->data.classes == 0) return;
    native->data.classes = 0;
    context.mistakes.Add(job.Get("data")->Find("classes")->place, "data.classes",
                         absl::StrCat("only softmax_cross_entropy has classes, and the loss is ",
                                      LossName(native->model.loss), "; remove it"));
    return;
  }
  absl::StatusOr<std::vector<LayerShape>> shapes = InferShapes(native->model);
  if (!shapes.ok() || shapes->empty() || shapes->back().out.size() > 2) return;
  const int64_t width = shapes->back().out.back();
  const std::string& last = native->model.layers.back().name;
  if (width < 2) {
    context.mistakes.Add(PlaceOfClasses(job), "model.layers",
                         absl::StrCat("the last layer, ", last,
                                      ", gives one value but softmax_cross_entropy needs at least "
                                      "two; make it as wide as there are classes"));
    return;
  }
  if (native->data.classes == 0) native->data.classes = width;
  if (native->data.classes == width) return;
  context.mistakes.Add(
      PlaceOfClasses(job), "model.layers",
      absl::StrCat("the last layer, ", last, ", gives ", width, " values but data.classes is ",
                   native->data.classes, "; make them equal"));
}

// Names of the model's inputs for which the data say something; none: whatever there is.
std::vector<std::string> InputsOfData(const Data& data) {
  std::vector<std::string> names;
  if (const auto* csv = std::get_if<CsvData>(&data.source)) {
    for (const InputColumns& input : csv->inputs) names.push_back(input.name);
  } else if (const auto* npy = std::get_if<NpyData>(&data.source)) {
    for (const auto& [name, source] : npy->train.inputs) names.push_back(name);
  } else if (std::holds_alternative<SkipGramData>(data.source)) {
    names = {kWordInput, kContextInput};
  } else {
    names.push_back(kModelInput);
  }
  return names;
}

void CheckInputNames(MapReader& job, const NativeSpec& native) {
  std::vector<std::string> wanted;
  for (const ModelInput& input : native.model.inputs) wanted.push_back(input.name);
  std::vector<std::string> given = InputsOfData(native.data);
  if (given.empty()) given = {kModelInput};
  std::sort(wanted.begin(), wanted.end());
  std::sort(given.begin(), given.end());
  if (wanted.empty() || given == wanted) return;
  job.AddMistake(
      "data", absl::StrCat("feeds the inputs ", absl::StrJoin(given, ", "), " but the model has ",
                           absl::StrJoin(wanted, ", "),
                           "; give its `inputs`, by the model's names, for csv and npy"));
}

bool HasTest(const Data& data) {
  if (const auto* csv = std::get_if<CsvData>(&data.source)) {
    return csv->test || csv->test_part.fraction > 0;
  }
  if (const auto* npy = std::get_if<NpyData>(&data.source)) {
    return npy->test || npy->test_part.fraction > 0;
  }
  if (const auto* text = std::get_if<TextData>(&data.source)) {
    return text->test || text->test_part.fraction > 0;
  }
  if (const auto* folder = std::get_if<FolderData>(&data.source)) {
    return folder->test || folder->test_part.fraction > 0;
  }
  const auto* idx = std::get_if<IdxData>(&data.source);
  return idx != nullptr && idx->test;
}

void ReadEarlyStopping(MapReader& job, NativeSpec* native) {
  MapReader fields = job.Map("early_stopping");
  fields.AllowShortForm("patience");
  EarlyStopping stopping;
  fields.Int("patience", {1, 1'000'000}, &stopping.patience);
  fields.Number("min_delta", {.min = 0, .max = 1e9}, &stopping.min_delta);
  fields.Finish();
  if (!fields.present()) return;
  if (!HasTest(native->data)) {
    job.AddMistake("early_stopping",
                   "is decided by the test loss, and there is no test; name one in `data`");
  } else if (native->evaluate_every_epochs == 0) {
    job.AddMistake("early_stopping",
                   "is decided by tests, and evaluate_every_epochs is 0; make it at least 1");
  }
  if (HasMappedTable(native->model)) {
    job.AddMistake("early_stopping",
                   "keeps a copy of the best weights in memory, which a table with `storage: mmap` "
                   "may be too large for; remove one of the two");
  }
  native->early_stopping = stopping;
}

NativeSpec ReadNative(MapReader& job, const RanksRange& ranks, const Defaults& defaults,
                      Context& context) {
  NativeSpec native;
  native.shards = defaults.shards;
  job.Require("epochs", "epochs: 16");
  job.Require("batch_size", "batch_size: 64");
  job.Require("data", "data: {train: {images: FILE, labels: FILE}}");
  job.Require("optimizer", "optimizer: {name: sgd, lr: 0.05}");
  job.Int("shards", {1, limits::kShardsMax}, &native.shards);
  job.Int("epochs", {1, 1'000'000}, &native.epochs);
  job.Int("batch_size", {1, 1 << 24}, &native.batch_size);
  job.Bool("shuffle", &native.shuffle);
  native.data = ReadData(job);
  native.model = ReadModel(job, context);
  native.weights = ReadWeights(job, native.model);
  native.optimizer = ReadOptimizer(job);
  std::vector<std::pair<std::string, std::string>> isas;
  for (const std::string& isa : CpuIsas()) isas.emplace_back(isa, isa);
  job.Choice<std::string>("cpu_isa", isas, &native.cpu_isa);
  job.Choice<bool>("algorithms", {{"deterministic", false}, {"fast", true}},
                   &native.fast_algorithms);
  job.Int("log_every_steps", {1, 1'000'000'000}, &native.log_every_steps);
  job.Int("evaluate_every_epochs", {0, 1'000'000}, &native.evaluate_every_epochs);
  ReadEarlyStopping(job, &native);
  CheckSparse(job, native.model, native.optimizer);
  CheckShards(job, ranks, native);
  CheckClasses(job, &native, context);
  CheckInputNames(job, native);
  return native;
}

void ReadLimits(MapReader& job, JobSpec* spec) {
  job.Uint64("seed", &spec->seed);
  job.Int("retries", {0, limits::kRetriesMax}, &spec->retries);
  job.Int("priority", {0, 100}, &spec->priority);
  job.DurationMs("time_limit", &spec->time_limit_ms);
  job.Choice<Capacity>(
      "capacity",
      {{"auto", Capacity::kAuto}, {"spot", Capacity::kSpot}, {"on-demand", Capacity::kOnDemand}},
      &spec->capacity);
}

}  // namespace

JobSpec ReadJob(const Value& root, const Defaults& defaults, Context& context) {
  JobSpec spec;
  spec.name = defaults.name;
  MapReader job(&root, "", context);
  ReadName(job, "name", &spec.name);
  ReadName(job, "project", &spec.project);
  ReadLaunch(job, &spec);
  ReadLimits(job, &spec);
  ReadResources(job, context, &spec);
  ReadCheckpoint(job, &spec.checkpoint);
  spec.params_json = ReadParams(job, context);
  ReadProgram(job, context, &spec);
  ReadScript(job, context, &spec);
  ReadMetrics(job, context, &spec.metrics);
  const bool native = job.Has("model");
  const bool command = job.Has("command") || job.Has("entry");
  const bool native_field = std::any_of(kNativeFields.begin(), kNativeFields.end(),
                                        [&](const char* key) { return job.Has(key); });
  if (native && command) {
    job.AddMistake(job.Has("command") ? "command" : "entry",
                   "given beside `model`; a job has one of the two, remove the other");
  } else if (!native && !command) {
    context.mistakes.Add(root.place, "",
                         "neither `model` (Baton trains) nor `command` (your program does) is "
                         "given; add one");
  }
  if (native || (native_field && !command)) {
    for (const char* key : {"flags_as", "slurm", "secrets"}) {
      if (job.Has(key))
        job.AddMistake(key, "only a job with `command` or `entry` has it; remove it");
    }
    spec.native = ReadNative(job, spec.ranks, defaults, context);
  } else if (command) {
    for (const char* key : kNativeFields) {
      if (!job.Has(key) || std::string(key) == "data") continue;
      job.AddMistake(key, "only a job with `model` has it; remove it, or put it into `params`");
    }
    ReadDataSets(job, context, &spec);
    ReadSecrets(job, &spec);
  }
  job.AlsoKnown(ShortResourceKeys());
  job.AlsoKnown({"flags"});
  job.Finish();
  return spec;
}

}  // namespace baton::spec
