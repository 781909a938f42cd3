#include "client/command/sweep_plan.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/wire_spec.h"
#include "common/atomic_file.h"
#include "common/spec/entry.h"
#include "common/spec/flags_file.h"
#include "common/spec/text.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

using Kind = spec::SweepParam::Kind;
using Scale = spec::SweepParam::Scale;

void Fill(const spec::SweepParam& param, v1::SweepParam* wire) {
  wire->set_name(param.name);
  wire->set_kind(param.kind == Kind::kInteger  ? v1::SweepParam::INTEGER
                 : param.kind == Kind::kDouble ? v1::SweepParam::DOUBLE
                                               : v1::SweepParam::CHOICE);
  wire->set_min(param.min);
  wire->set_max(param.max);
  wire->set_scale(param.scale == Scale::kLog          ? v1::SweepParam::LOG
                  : param.scale == Scale::kReverseLog ? v1::SweepParam::REVERSE_LOG
                                                      : v1::SweepParam::LINEAR);
  wire->set_steps(static_cast<int32_t>(param.steps));
  wire->mutable_choices_json()->Assign(param.choices.begin(), param.choices.end());
}

std::string FolderOf(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

std::string Beside(const std::string& folder, const std::string& name) {
  return folder == "." || fs::path(name).is_absolute() ? name : (fs::path(folder) / name).string();
}

// cloudml's own default is train.R.
std::string DefaultScript(const std::string& folder) {
  if (!FindProjectFile(folder).empty()) return "";
  for (const char* name : {"train.R", "train.py"}) {
    std::error_code error;
    if (fs::is_regular_file(fs::path(folder) / name, error)) return Beside(folder, name);
  }
  return "";
}

bool SaysTheMachine(const spec::Setting& setting) {
  static constexpr absl::string_view kFields[] = {"gpus",   "gpu_type",  "gpu_memory", "cpus",
                                                  "memory", "resources", "any_of"};
  // Disk is the job's, whatever the machine.
  if (setting.path == std::vector<std::string>{"resources", "disk"}) return false;
  return !setting.path.empty() && std::find(std::begin(kFields), std::end(kFields),
                                            setting.path.front()) != std::end(kFields);
}

// The outermost values, as `--set` takes them.
std::vector<std::string> Samples(const spec::SweepParam& param) {
  constexpr size_t kChoicesTried = 20;
  if (param.kind == Kind::kChoice) {
    return {param.choices.begin(),
            param.choices.begin() +
                static_cast<std::ptrdiff_t>(std::min(kChoicesTried, param.choices.size()))};
  }
  if (param.kind == Kind::kInteger) {
    return {absl::StrCat(static_cast<int64_t>(param.min)),
            absl::StrCat(static_cast<int64_t>(param.max))};
  }
  return {spec::NumberText(param.min), spec::NumberText(param.max)};
}

// What is wrong with the field at that value; empty: nothing.
std::string WrongAt(const JobSourceOptions& options, const std::string& set,
                    const v1::JobSpec& base) {
  JobSourceOptions changed = options;
  changed.overrides.sets.push_back(set);
  const absl::StatusOr<JobSource> source = ReadJobSource(changed);
  if (!source.ok()) return std::string(source.status().message());
  const std::vector<spec::Mistake> mistakes = source->reading.mistakes.Sorted();
  if (!mistakes.empty()) {
    const spec::Mistake& first = mistakes.front();
    return absl::StrCat(first.field, first.field.empty() ? "" : ": ", first.message);
  }
  if (WireSpec(source->reading.spec).SerializeAsString() == base.SerializeAsString()) return "";
  return "changes how the job is placed and run, which is the same for all trials; vary what the "
         "trainer reads, such as optimizer.lr or batch_size";
}

}  // namespace

v1::SweepPlan PlanOf(const spec::SweepFile& file) {
  v1::SweepPlan plan;
  plan.set_metric(file.metric);
  plan.set_goal(file.goal == spec::SweepFile::Goal::kMaximize ? v1::SweepPlan::MAXIMIZE
                                                              : v1::SweepPlan::MINIMIZE);
  plan.set_algorithm(file.algorithm == spec::SweepFile::Algorithm::kGrid ? v1::SweepPlan::GRID
                                                                         : v1::SweepPlan::RANDOM);
  plan.set_max_trials(static_cast<int32_t>(file.max_trials));
  plan.set_parallel_trials(static_cast<int32_t>(file.parallel_trials));
  plan.set_seed(file.seed);
  for (const spec::SweepParam& param : file.params) Fill(param, plan.add_params());
  return plan;
}

JobSourceOptions JobOf(const spec::SweepFile& file, const std::string& path,
                       const std::string& entry, const JobSourceOptions& typed) {
  JobSourceOptions options = typed;
  const std::string folder = FolderOf(path);
  options.target = !entry.empty()        ? entry
                   : !file.job.empty()   ? Beside(folder, file.job)
                   : !file.entry.empty() ? Beside(folder, file.entry)
                                         : "";
  if (options.target.empty()) options.command = file.command;
  if (options.target.empty() && options.command.empty()) options.target = DefaultScript(folder);
  const std::string project = FindProjectFile(folder);
  if (!options.folder.empty()) {
    // As typed.
  } else if (options.target.empty() && options.command.empty() && !project.empty()) {
    options.folder = FolderOf(project);  // whose entry runs
  } else if (entry.empty() && file.job.empty()) {
    options.folder = folder;
  }
  std::vector<spec::Setting> settings = file.settings;
  if (!typed.master_type.empty() || !typed.config.empty()) {
    // The machine that was typed is meant whole.
    settings.erase(std::remove_if(settings.begin(), settings.end(), SaysTheMachine),
                   settings.end());
  }
  if (file.cloudml) {
    if (options.config.empty()) options.config = path;  // for its machine
    // As cloudml hands them to a script.
    if (!spec::IsSpecName(options.target)) {
      settings.push_back({.source = path,
                          .path = {"flags_as"},
                          .value = spec::PlainValue("arguments"),
                          .weak = true});
    }
  }
  // What was typed is stronger.
  options.overrides.settings.insert(options.overrides.settings.begin(), settings.begin(),
                                    settings.end());
  return options;
}

void CheckNativeParams(const JobSourceOptions& options, const JobSource& source,
                       spec::SweepFile* file) {
  if (!source.reading.spec.native.has_value() || !source.reading.mistakes.empty()) return;
  const v1::JobSpec base = WireSpec(source.reading.spec);
  for (const spec::SweepParam& param : file->params) {
    for (const std::string& value : Samples(param)) {
      const std::string wrong = WrongAt(options, absl::StrCat(param.name, "=", value), base);
      if (wrong.empty()) continue;
      file->mistakes.Add(param.place, absl::StrCat("params.", param.name),
                         absl::StrCat("at ", spec::Shown(value), ": ", wrong));
      break;
    }
  }
}

std::vector<std::string> UndeclaredParams(const spec::SweepFile& file, const JobSource& source) {
  const std::string& entry = source.reading.spec.entry;
  if (source.reading.spec.native.has_value() || entry.empty()) return {};
  const absl::StatusOr<std::string> script = ReadFile(Beside(source.folder, entry));
  if (!script.ok()) return {};
  spec::FlagsFile flags;
  for (const char* name : {"flags.yml", "flags.yaml"}) {
    const std::string path = Beside(source.folder, name);
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) continue;
    flags = spec::ReadFlagsFile(*text, path);
    break;
  }
  std::vector<std::string> names;
  for (const spec::SweepParam& param : file.params) names.push_back(param.name);
  std::vector<std::string> warnings;
  for (const std::string& name : spec::UndeclaredFlags(names, flags.declared, *script)) {
    warnings.push_back(absl::StrCat("params.", name, ": neither ", entry,
                                    " nor flags.yml declares it; it is handed on, but nothing may "
                                    "read it"));
  }
  return warnings;
}

}  // namespace baton::client
