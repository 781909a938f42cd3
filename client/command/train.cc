#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/command/command.h"
#include "client/command/submit_words.h"
#include "client/continue_from.h"
#include "client/data_plan.h"
#include "client/datasets.h"
#include "client/environment_file.h"
#include "client/folder_plan.h"
#include "client/follow.h"
#include "client/job_source.h"
#include "client/loss_note.h"
#include "client/package.h"
#include "client/refusal.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/secrets.h"
#include "client/upload_progress.h"
#include "common/ids.h"
#include "common/spec/entry.h"
#include "common/spec/files.h"
#include "common/spec/memory.h"
#include "common/spec/parse.h"
#include "common/spec/text.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  JobSourceOptions source;
  std::string name;
  std::string from;  // JOB[@STEP]
  bool follow = false;
  bool dry_run = false;
  bool queue_anyway = false;
};

absl::StatusOr<std::string> Submit(Api& api, const Flags& flags, const PackagePlan& plan,
                                   const spec::Reading& reading) {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  *request.mutable_submitter() = ThisSubmitter();
  request.set_queue_anyway(flags.queue_anyway);
  BATON_ASSIGN_OR_RETURN(*request.add_jobs(), UploadPackage(plan, api.blobs(), ShowUpload()));
  BATON_RETURN_IF_ERROR(ResolvePushed(api, request.mutable_jobs(0)));
  BATON_RETURN_IF_ERROR(FillSecrets(&request));
  if (const std::string plain = ShortSecretsNote(request); !plain.empty()) Warn(plain);
  if (!flags.from.empty()) {
    BATON_RETURN_IF_ERROR(ContinueFrom(api, flags.from, request.mutable_jobs(0)));
  }
  const absl::StatusOr<v1::SubmitJobsResponse> response = api.Submit(request);
  if (!response.ok()) return AtItsPlace(response.status(), reading);
  for (const std::string& warning : response->warnings()) Warn(warning);
  const std::string note = LossNote(plan);
  if (!note.empty()) Warn(note);
  return response->job_ids(0);
}

absl::Status FollowSubmitted(Context& context, Api& api, const std::string& id) {
  const absl::StatusOr<v1::Job> job = Follow(api, id, Context::interrupted);
  if (absl::IsCancelled(job.status())) {
    std::fprintf(stderr, "the job goes on; come back with: baton logs -f %s  ·  baton show %s\n",
                 id.c_str(), id.c_str());
    context.exit_code = 128 + Context::signal.load();  // 0 would say that it has succeeded
    return absl::OkStatus();
  }
  BATON_RETURN_IF_ERROR(job.status());
  std::fprintf(stderr, "%s  %s%s%s\n%s\n", job->name().c_str(), StateName(job->state()).c_str(),
               job->reason().empty() ? "" : ": ", job->reason().c_str(),
               NextCommands(*job).c_str());
  context.exit_code = ExitCodeOf(*job);
  return absl::OkStatus();
}

// One thread a shard, on the fewest ranks: the most that a rank will need. Nothing of a command.
std::string MemoryOf(const std::string& folder, const spec::JobSpec& job,
                     spec::MemoryEstimate* estimate) {
  if (!job.native) return "";
  spec::RankShape shape;
  shape.ranks = job.ranks.min;
  shape.threads = (job.native->shards + shape.ranks - 1) / shape.ranks;
  shape.data_bytes = spec::DataBytes(
      *job.native, [&](const spec::NamedFile& file) -> absl::StatusOr<std::optional<std::string>> {
        BATON_ASSIGN_OR_RETURN(std::string path, spec::ResolveUri(file.source->uri, folder));
        return path;
      });
  const auto found = spec::EstimateMemory(*job.native, shape);
  if (!found.ok()) return "";
  *estimate = *found;
  return spec::MemoryText(*job.native, shape, *found);
}

void DryRun(const Context& context, const PackagePlan& plan, const std::string& memory,
            const spec::MemoryEstimate& estimate) {
  const std::string environment = EnvironmentNote(plan);
  if (context.json()) {
    int64_t left_out = 0;
    for (const auto& [reason, count] : plan.left_out) left_out += count;
    auto sets = nlohmann::ordered_json::array();
    for (const DataPlan& set : plan.sets) {
      sets.push_back({{"name", set.name}, {"files", set.files.size()}, {"bytes", set.bytes}});
    }
    nlohmann::ordered_json json = {{"name", plan.spec.name},
                                   {"files", plan.files.size() + 1},
                                   {"file_bytes", plan.file_bytes},
                                   {"data_files", plan.data.size()},
                                   {"data_bytes", plan.data_bytes},
                                   {"left_out", left_out},
                                   {"left_out_by", plan.left_out},
                                   {"held_back", plan.held_back},
                                   {"sets", sets},
                                   {"command", spec::ProgramWords(plan.spec)},
                                   {"spec", spec::WriteSpec(plan.spec)}};
    if (!environment.empty()) json["environment"] = environment;
    if (!memory.empty()) {
      json["memory"] = {{"host_bytes", estimate.host()}, {"device_bytes", estimate.device}};
    }
    std::fputs(Pretty(json).c_str(), stdout);
    return;
  }
  std::string comment = environment.empty() ? "" : absl::StrCat("# ", environment, "\n");
  for (const absl::string_view line : absl::StrSplit(memory, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&comment, "# ", line, "\n");
  }
  std::printf("# nothing was sent; would be %s\n%s%s", PackedText(plan).c_str(), comment.c_str(),
              spec::WriteSpec(plan.spec).c_str());
}

absl::Status Run(Context& context, const Flags& flags) {
  JobSourceOptions options = flags.source;
  options.overrides.name = flags.name;
  options.target = context.words.target;
  options.arguments = context.words.arguments;
  options.command = context.words.command;
  BATON_ASSIGN_OR_RETURN(JobSource source, ReadJobSource(options));
  spec::Reading& reading = source.reading;
  if (reading.spec.native) spec::CheckFiles(source.spec_file, &reading);
  // Before packing gives the files other names.
  spec::MemoryEstimate estimate;
  std::string memory;
  if (flags.dry_run && reading.mistakes.empty()) {
    memory = MemoryOf(source.folder, reading.spec, &estimate);
  }
  const PackagePlan plan = PlanPackage(source.folder, &reading);
  for (const std::string& warning : source.warnings) Warn(warning);
  for (const std::string& flag : context.words.doubtful) {
    Warn(absl::StrCat(flag, " stands among the words of ", options.target,
                      " and goes to it; if Baton is meant, put it before ", options.target));
  }
  WarnOfSecrets(plan.held_back);
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  if (flags.dry_run) {
    DryRun(context, plan, memory, estimate);
    return absl::OkStatus();
  }
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  Tell(source, plan);
  BATON_ASSIGN_OR_RETURN(const std::string id, Submit(*api, flags, plan, reading));
  if (context.json()) {
    std::fputs(Pretty({{"id", id}, {"name", plan.spec.name}}).c_str(), stdout);
  } else if (::isatty(STDOUT_FILENO) != 1) {
    std::printf("%s\n", id.c_str());
  } else {
    std::printf("job %s accepted\n", id.c_str());
  }
  std::fflush(stdout);
  if (flags.follow) return FollowSubmitted(context, *api, id);
  v1::Job queued;
  queued.set_name(id);
  std::fprintf(stderr, "%s\n", NextCommands(queued).c_str());
  return absl::OkStatus();
}

// A flag that sets one field of the spec.
void AddFieldFlag(CLI::App& verb, const std::shared_ptr<Flags>& flags, const std::string& flag,
                  const std::vector<std::string>& path, const std::string& type,
                  const std::string& help) {
  verb.add_option_function<std::string>(
          flag,
          [flags, flag, path](const std::string& value) {
            flags->source.overrides.settings.push_back(spec::FlagSetting(flag, value, path));
          },
          help)
      ->type_name(type);
}

// A flag that may be repeated, each with NAME=VALUE: an entry of the map `field`.
void AddMapFlag(CLI::App& verb, const std::shared_ptr<Flags>& flags, const std::string& flag,
                const std::string& field, const std::string& type, const std::string& help) {
  verb.add_option_function<std::vector<std::string>>(
          flag,
          [flags, flag, field, type](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              flags->source.overrides.settings.push_back(spec::MapSetting(flag, value, field));
            }
          },
          help)
      ->type_name(type)
      ->allow_extra_args(false);
}

void AddFieldFlags(CLI::App& verb, const std::shared_ptr<Flags>& flags) {
  AddFieldFlag(verb, flags, "--gpus", {"resources", "gpus"}, "[TYPE:]N",
               "GPUs of a rank: 1, or h100:2");
  AddFieldFlag(verb, flags, "--gpu-memory", {"resources", "gpu_memory"}, "BYTES",
               "of each GPU, at least: 16GiB");
  AddFieldFlag(verb, flags, "--cpus", {"resources", "cpus"}, "N", "of a rank: 4, or 0.5");
  AddFieldFlag(verb, flags, "--memory", {"resources", "memory"}, "BYTES", "of a rank: 8GiB");
  AddFieldFlag(verb, flags, "--disk", {"resources", "disk"}, "BYTES", "of a rank: 20GiB");
  AddFieldFlag(verb, flags, "--nodes", {"nodes"}, "N",
               "nodes that its ranks share out evenly: 2, or 1..4 to go on with fewer");
  AddFieldFlag(verb, flags, "--launch", {"launch"}, "BY",
               "rank: once for each rank; node: once a node, for torchrun, mpirun and the like");
  AddFieldFlag(verb, flags, "--time-limit", {"time_limit"}, "TIME",
               "of all attempts together: 90m, 1h30m, 2d");
  AddFieldFlag(verb, flags, "--hang-after", {"hang_after"}, "TIME",
               "without a step for so long a rank is started again; off: never (auto)");
  AddFieldFlag(verb, flags, "--capacity", {"capacity"}, "KIND", "auto, spot or on-demand");
  AddFieldFlag(verb, flags, "--retries", {"retries"}, "N", "crashes of the program that are borne");
  AddFieldFlag(verb, flags, "--priority", {"priority"}, "N", "0 to 100, higher first (50)");
  AddFieldFlag(verb, flags, "--project", {"project"}, "NAME",
               "whose share of the machines it uses");
  verb.add_option_function<std::vector<std::string>>(
          "--checkpoint",
          [flags](const std::vector<std::string>& globs) {
            flags->source.overrides.settings.push_back({.source = "--checkpoint",
                                                        .path = {"checkpoints"},
                                                        .value = spec::ListValue(globs)});
          },
          "files of the program that are kept and put back: 'out/*.pt'; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  verb.add_option_function<std::vector<std::string>>(
          "--setup",
          [flags](const std::vector<std::string>& commands) {
            flags->source.overrides.settings.push_back(
                {.source = "--setup", .path = {"setup"}, .value = spec::ListValue(commands)});
          },
          "a shell command before the program, once for the same content: 'make -C ext'; "
          "repeatable")
      ->type_name("COMMAND")
      ->allow_extra_args(false);
  AddFieldFlag(verb, flags, "--environment", {"environment"}, "KIND",
               "conda:NAME or venv:PATH of the nodes, or none: requirements.txt is not installed");
  AddFieldFlag(verb, flags, "--image", {"image"}, "IMAGE",
               "run in this container (podman, docker or apptainer on the nodes)");
  AddMapFlag(verb, flags, "--env", "env", "NAME=VALUE", "a variable of the program; repeatable");
  AddMapFlag(verb, flags, "--flag", "params", "NAME=VALUE",
             "a hyperparameter of the program, over flags.yml; repeatable");
  verb.add_option_function<std::vector<std::string>>(
          "--data",
          [flags](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              flags->source.overrides.settings.push_back(DataSetting(value));
            }
          },
          "data in $BATON_DATA_DIR/NAME: a path, http(s)://, s3://, file:// of the node, data:NAME "
          "that was pushed; repeatable")
      ->type_name("NAME=URI")
      ->allow_extra_args(false);
  verb.add_option("--secret", flags->source.secrets,
                  "a variable of the program, with its value here; stored encrypted, never shown; "
                  "repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  AddMapFlag(verb, flags, "--require", "require", "LABEL=VALUE",
             "only nodes with this label (baton-worker --labels); repeatable");
}

}  // namespace

std::shared_ptr<JobSourceOptions> AddJobFlags(CLI::App& verb) {
  auto flags = std::make_shared<Flags>();
  AddFieldFlags(verb, flags);
  return std::shared_ptr<JobSourceOptions>(flags, &flags->source);
}

std::vector<std::string> TakeTrainWords(const CLI::App& app, const std::vector<std::string>& words,
                                        TrainWords* taken) {
  // Before the verb there are global flags alone, and all but --address stand by themselves.
  size_t at = 0;
  while (at < words.size() && absl::StartsWith(words[at], "-")) {
    at += words[at] == "--address" ? 2 : 1;
  }
  const CLI::App* verb = app.get_subcommand("train");
  if (at >= words.size() || !verb->check_name(words[at])) return words;
  const auto kind_of = [&](const std::string& flag) {
    const CLI::Option* option = verb->get_option_no_throw(flag);
    if (option == nullptr) option = app.get_option_no_throw(flag);
    if (option == nullptr) return FlagKind::kUnknown;
    return option->get_items_expected_min() > 0 ? FlagKind::kTakesAWord : FlagKind::kAlone;
  };
  std::vector<std::string> own(words.begin(), words.begin() + static_cast<int64_t>(at) + 1);
  *taken = SplitTrainWords({words.begin() + static_cast<int64_t>(at) + 1, words.end()}, kind_of);
  own.insert(own.end(), taken->own.begin(), taken->own.end());
  return own;
}

void AddTrain(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, "train", "Submit a job: a script, a command or a spec; pack it, send it, queue it",
      "baton train trainer/specs/lenet.yaml --ranks 1..3 --set lr=0.02 --follow\n"
      "         baton train --gpus 1 train.py --epochs 5\n"
      "         baton train --cpus 2 -- python3 -m mypackage.train\n"
      "         baton train --nodes 1..2 --launch node --gpus 4 -- torchrun train.py\n\n"
      "Flags of Baton come before the script; all words from the script's first one on are "
      "handed\nto it, and all words behind `--` too. The script's folder (with `--` the "
      "current one) is packed\nand is where it runs. A baton.yml in that folder, or above "
      "it, has settings that hold for\nall of its scripts.");
  verb->alias("submit");
  verb->alias("run");
  verb->add_option("target", flags->source.target,
                   "a script (.py, .R, .sh, .ipynb), an executable, or a spec (.yaml)");
  verb->add_option("--folder", flags->source.folder,
                   "the working folder to pack, where the script lies in a folder below it");
  AddFieldFlags(*verb, flags);
  verb->add_option("--master-type", flags->source.master_type,
                   "cloudml's name of a machine, such as standard_gpu")
      ->type_name("NAME");
  verb->add_option("--config", flags->source.config,
                   "cloudml's cloudml.yml or tuning.yml, for the machine that it names")
      ->type_name("FILE");
  verb->add_option("--ranks", flags->source.overrides.ranks,
                   "world sizes that are fine: 2, or 1..3");
  verb->add_option("--name", flags->name, "the job's name (the spec's)")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return std::string(name.empty() ? "is empty; leave it out for the spec's name" : "");
          },
          ""));
  verb->add_option("--set", flags->source.overrides.sets,
                   "change a field of the spec: optimizer.lr=0.1, or lr=0.1 where that is unique")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--from", flags->from,
                   "begin with a checkpoint of another job, its newest unless a step is given")
      ->type_name("JOB[@STEP]");
  verb->add_flag("--follow", flags->follow,
                 "show its progress, and what a script prints; Ctrl-C leaves the job running");
  verb->add_flag("--dry-run", flags->dry_run, "check everything and send nothing");
  verb->add_flag("--queue-anyway", flags->queue_anyway,
                 "queue it even when no known node could ever run it");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
