#include "common/spec/sweep_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/reader.h"
#include "common/spec/short_keys.h"
#include "common/spec/sweep_params.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kMetricBytesMax = 128;

using Goal = SweepFile::Goal;
using Algorithm = SweepFile::Algorithm;

const std::vector<std::string>& OwnKeys() {
  static const std::vector<std::string> keys = {
      "metric", "goal",   "algorithm", "max_trials", "parallel_trials",
      "seed",   "params", "job",       "entry",      "command"};
  return keys;
}

void CheckMetric(MapReader& fields, const std::string& key, const SweepFile& file) {
  if (!fields.Has(key)) return;
  if (file.metric.empty() || file.metric.size() > kMetricBytesMax) {
    fields.AddMistake(key, absl::StrCat("must have 1 to ", kMetricBytesMax, " bytes"));
  }
}

void TakeWords(const Value& list, MapReader& fields, SweepFile* file) {
  bool good = list.kind == Value::Kind::kList && !list.items.empty();
  for (const Value& item : list.items) {
    good = good && item.kind == Value::Kind::kScalar;
    file->command.push_back(item.text);
  }
  if (!good) fields.AddMistake("command", "must be a list of words such as [python3, train.py]");
}

void ReadJobOf(MapReader& fields, SweepFile* file) {
  fields.Text("job", &file->job);
  fields.Text("entry", &file->entry);
  if (const Value* command = fields.Get("command")) TakeWords(*command, fields, file);
  const int named =
      (file->job.empty() ? 0 : 1) + (file->entry.empty() ? 0 : 1) + (file->command.empty() ? 0 : 1);
  if (named > 1) {
    fields.AddMistake(file->job.empty() ? "command" : "job",
                      "one of job, entry and command says what a trial runs; remove the others");
  }
}

// What is none of the sweep's own keys is a field of the job.
void TakeSetting(const Entry& entry, const std::string& file_name, SweepFile* file) {
  const auto add = [&](std::vector<std::string> path, const Entry& from) {
    file->settings.push_back({.source = file_name,
                              .line = from.place.line,
                              .path = std::move(path),
                              .value = from.value});
  };
  const std::vector<std::string>& resources = ShortResourceKeys();
  if (entry.key == "flags" && entry.value.kind == Value::Kind::kMap) {
    for (const Entry& flag : entry.value.entries) add({"params", flag.key}, flag);
  } else if (std::find(resources.begin(), resources.end(), entry.key) != resources.end()) {
    add({"resources", entry.key}, entry);
  } else {
    add({entry.key}, entry);
  }
}

// Points of the grid, no more than `most`.
int64_t GridSize(const SweepFile& file, int64_t most) {
  int64_t size = 1;
  for (const SweepParam& param : file.params) {
    int64_t count = param.steps;
    if (param.kind == SweepParam::Kind::kChoice) count = std::ssize(param.choices);
    const bool is_all = param.kind == SweepParam::Kind::kInteger && param.steps == 0;
    if (is_all) count = static_cast<int64_t>(std::min<double>(param.max - param.min + 1, most));
    size = std::min(size * std::clamp<int64_t>(count, 1, most), most);
  }
  return size;
}

void ReadOwnForm(const Value& root, const std::string& file_name, Context& context,
                 SweepFile* file) {
  Value own = root;
  own.entries.clear();
  for (const Entry& entry : root.entries) {
    const auto& keys = OwnKeys();
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) {
      own.entries.push_back(entry);
    } else if (entry.key == "model" || entry.key == "optimizer") {
      context.mistakes.Add(entry.place, entry.key,
                           "the spec of a native job is a file of its own; name it, `job: FILE`");
    } else {
      TakeSetting(entry, file_name, file);
    }
  }
  MapReader fields(&own, "", context);
  fields.Require("metric", "metric: val_loss");
  fields.Text("metric", &file->metric);
  CheckMetric(fields, "metric", *file);
  fields.Require("goal", "goal: minimize");
  fields.Choice<Goal>("goal", {{"maximize", Goal::kMaximize}, {"minimize", Goal::kMinimize}},
                      &file->goal);
  fields.Choice<Algorithm>(
      "algorithm", {{"random", Algorithm::kRandom}, {"grid", Algorithm::kGrid}}, &file->algorithm);
  if (file->algorithm == Algorithm::kGrid) file->max_trials = kTrialsMax;
  fields.Int("max_trials", {1, kTrialsMax}, &file->max_trials);
  fields.Int("parallel_trials", {1, kParallelTrialsMax}, &file->parallel_trials);
  fields.Uint64("seed", &file->seed);
  fields.Require("params", "params: {lr: [0.1, 0.01]}");
  ReadSweepParams(fields, context, file);
  if (fields.Has("params") && file->params.empty()) {
    fields.AddMistake("params", "is empty; a sweep varies at least one");
  }
  ReadJobOf(fields, file);
  fields.Finish();
  CheckSweepParams("params", context, *file);
  if (file->algorithm == Algorithm::kGrid) {
    file->max_trials = GridSize(*file, file->max_trials);
  }
}

void WarnOfIgnored(MapReader& fields, const std::string& file_name, SweepFile* file) {
  const auto warn = [&](const char* key, const char* why) {
    const Value* value = fields.Get(key);
    if (value == nullptr) return;
    file->warnings.push_back(absl::StrCat(file_name, ":", value->place.line, ": ",
                                          fields.PathOf(key), " is ignored: ", why));
  };
  warn("enableTrialEarlyStopping", "each trial runs to its end");
  warn("maxFailedTrials", "a sweep ends when its first three trials fail");
  warn("resumePreviousJobId", "a sweep begins anew");
}

void ReadCloudmlForm(const Value& input, const std::string& file_name, Context& context,
                     SweepFile* file) {
  file->cloudml = true;
  const std::string path = "trainingInput.hyperparameters";
  MapReader fields(input.Find("hyperparameters"), path, context);
  if (!fields.present()) {
    context.mistakes.Add(input.place, path,
                         "missing; it names goal, hyperparameterMetricTag and params");
    return;
  }
  fields.Require("goal", "goal: MAXIMIZE");
  fields.Choice<Goal>("goal", {{"MAXIMIZE", Goal::kMaximize}, {"MINIMIZE", Goal::kMinimize}},
                      &file->goal);
  fields.Require("hyperparameterMetricTag", "hyperparameterMetricTag: val_loss");
  fields.Text("hyperparameterMetricTag", &file->metric);
  CheckMetric(fields, "hyperparameterMetricTag", *file);
  enum class Named { kDefault, kRandom, kGrid };
  Named algorithm = Named::kDefault;
  fields.Choice<Named>("algorithm",
                       {{"ALGORITHM_UNSPECIFIED", Named::kDefault},
                        {"RANDOM_SEARCH", Named::kRandom},
                        {"GRID_SEARCH", Named::kGrid}},
                       &algorithm);
  file->algorithm = algorithm == Named::kGrid ? Algorithm::kGrid : Algorithm::kRandom;
  if (algorithm == Named::kDefault) {
    file->warnings.push_back(
        absl::StrCat(file_name,
                     ": without `algorithm: GRID_SEARCH` the search is random; cloudml's Bayesian "
                     "one is not there"));
  }
  file->max_trials = 1;
  fields.Int("maxTrials", {1, kTrialsMax}, &file->max_trials);
  fields.Int("maxParallelTrials", {1, kParallelTrialsMax}, &file->parallel_trials);
  WarnOfIgnored(fields, file_name, file);
  fields.Require("params", "params: [{parameterName: lr, type: DOUBLE, ..}]");
  ReadCloudmlParams(fields, context, file);
  if (fields.Has("params") && file->params.empty()) {
    fields.AddMistake("params", "is empty; a sweep varies at least one");
  }
  fields.Finish();
  CheckSweepParams(path + ".params", context, *file);
}

}  // namespace

SweepFile ReadSweepFile(absl::string_view text, const std::string& file_name) {
  SweepFile file;
  file.mistakes = Mistakes({file_name});
  if (text.size() > kFileBytesMax) {
    file.mistakes.Add({}, "", "longer than 1 MiB; the file of a sweep is a short text");
    return file;
  }
  const Value root = ParseTree(text, 0, file.mistakes);
  if (!file.mistakes.empty()) return file;
  if (root.kind != Value::Kind::kMap) {
    file.mistakes.Add(root.place, "",
                      "must be a map with metric, goal and params, or cloudml's trainingInput");
    return file;
  }
  Context context{file.mistakes, {}};
  const Value* input = root.Find("trainingInput");
  if (input == nullptr) {
    ReadOwnForm(root, file_name, context, &file);
  } else {
    ReadCloudmlForm(*input, file_name, context, &file);
  }
  return file;
}

}  // namespace baton::spec
