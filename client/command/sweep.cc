#include "client/render/sweep.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/command/submit_words.h"
#include "client/command/sweep_plan.h"
#include "client/datasets.h"
#include "client/environment_file.h"
#include "client/job_source.h"
#include "client/loss_note.h"
#include "client/package.h"
#include "client/refusal.h"
#include "client/render/json.h"
#include "client/secrets.h"
#include "client/sweep_api.h"
#include "client/upload_progress.h"
#include "common/atomic_file.h"
#include "common/ids.h"
#include "common/spec/entry.h"
#include "common/spec/files.h"
#include "common/spec/machine_types.h"
#include "common/spec/sweep_file.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string file;
  std::string entry;  // a script or a spec; empty: as the file says
  std::string name;
  int64_t max_trials = 0;  // 0: as the file says
  int64_t parallel_trials = 0;
  std::optional<uint64_t> seed;
  bool dry_run = false;
  bool queue_anyway = false;
  std::shared_ptr<JobSourceOptions> job;
};

absl::StatusOr<spec::SweepFile> ReadFileOf(const Flags& flags) {
  absl::StatusOr<std::string> text = ReadFile(flags.file);
  if (!text.ok()) {
    const std::string message =
        absl::StrCat(std::string(text.status().message()), "; mend the path");
    return absl::IsNotFound(text.status()) ? absl::NotFoundError(message)
                                           : absl::InvalidArgumentError(message);
  }
  spec::SweepFile file = spec::ReadSweepFile(*text, flags.file);
  if (flags.max_trials > 0) file.max_trials = flags.max_trials;
  if (flags.parallel_trials > 0) file.parallel_trials = flags.parallel_trials;
  if (flags.seed.has_value()) file.seed = *flags.seed;
  return file;
}

// The mistakes of both, so that one round mends all.
absl::Status AllMistakes(const spec::SweepFile& file, const spec::Reading& reading) {
  const absl::Status sweep = file.mistakes.ToStatus();
  const absl::Status job = reading.mistakes.ToStatus();
  if (sweep.ok() || job.ok()) return sweep.ok() ? job : sweep;
  return absl::InvalidArgumentError(absl::StrCat(sweep.message(), "\n", job.message()));
}

absl::StatusOr<std::string> Submit(Api& api, const Flags& flags, const v1::SweepPlan& plan,
                                   const PackagePlan& package, const spec::Reading& reading) {
  v1::SubmitSweepRequest request;
  request.set_request_id(RandomId());
  *request.mutable_submitter() = ThisSubmitter();
  request.set_queue_anyway(flags.queue_anyway);
  *request.mutable_plan() = plan;
  BATON_ASSIGN_OR_RETURN(*request.mutable_job(), UploadPackage(package, api.blobs(), ShowUpload()));
  BATON_RETURN_IF_ERROR(ResolvePushed(api, request.mutable_job()));
  v1::SubmitJobsRequest like;
  *like.add_jobs() = request.job();
  BATON_RETURN_IF_ERROR(FillSecrets(&like));
  if (const std::string plain = ShortSecretsNote(like); !plain.empty()) Warn(plain);
  *request.mutable_secrets() = like.secrets();
  const absl::StatusOr<v1::SubmitSweepResponse> response = SweepApi(api).Submit(request);
  if (!response.ok()) return AtItsPlace(response.status(), reading);
  for (const std::string& warning : response->warnings()) Warn(warning);
  const std::string note = LossNote(package);
  if (!note.empty()) Warn(note);
  return response->sweep_id();
}

void TellId(const Context& context, const std::string& id, const std::string& name) {
  if (context.json()) {
    std::fputs(Pretty({{"id", id}, {"name", name}}).c_str(), stdout);
  } else if (::isatty(STDOUT_FILENO) != 1) {
    std::printf("%s\n", id.c_str());
  } else {
    std::printf("sweep %s accepted\n", id.c_str());
  }
  std::fflush(stdout);
  std::fprintf(stderr, "next: baton trials %s  ·  baton wait %s  ·  baton cancel %s\n", id.c_str(),
               id.c_str(), id.c_str());
}

void DryRun(const Context& context, const PackagePlan& package, const v1::SweepPlan& plan) {
  const std::string environment = EnvironmentNote(package);
  if (!context.json()) {
    std::printf("# nothing was sent; would be %s\n%s%s\n", PackedText(package).c_str(),
                environment.empty() ? "" : absl::StrCat("# ", environment, "\n").c_str(),
                PlanText(plan).c_str());
    return;
  }
  nlohmann::ordered_json json = {{"name", package.spec.name},
                                 {"files", package.files.size() + 1},
                                 {"file_bytes", package.file_bytes},
                                 {"held_back", package.held_back},
                                 {"command", spec::ProgramWords(package.spec)},
                                 {"spec", spec::WriteSpec(package.spec)},
                                 {"sweep", PlanJson(plan)}};
  if (!environment.empty()) json["environment"] = environment;
  std::fputs(Pretty(json).c_str(), stdout);
}

absl::Status Run(Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(spec::SweepFile file, ReadFileOf(flags));
  if (flags.entry.empty()) BATON_RETURN_IF_ERROR(file.mistakes.ToStatus());
  JobSourceOptions options = JobOf(file, flags.file, flags.entry, *flags.job);
  options.overrides.name = flags.name;
  BATON_ASSIGN_OR_RETURN(JobSource source, ReadJobSource(options));
  CheckNativeParams(options, source, &file);
  spec::Reading& reading = source.reading;
  if (reading.spec.native) spec::CheckFiles(source.spec_file, &reading);
  PackagePlan package = PlanPackage(source.folder, &reading);
  for (const std::string& warning : file.warnings) Warn(warning);
  for (const std::string& warning : source.warnings) {
    if (!absl::StrContains(warning, spec::kSweepIsElsewhere)) Warn(warning);
  }
  for (const std::string& warning : UndeclaredParams(file, source)) Warn(warning);
  WarnOfSecrets(package.held_back);
  BATON_RETURN_IF_ERROR(AllMistakes(file, reading));
  v1::SweepPlan plan = PlanOf(file);
  // The trial's own parameters come behind the words too, so that the scheduler adds all of them.
  plan.set_params_as_arguments(package.spec.flags_as_arguments);
  package.spec.flags_as_arguments = false;
  if (flags.dry_run) {
    DryRun(context, package, plan);
    return absl::OkStatus();
  }
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  Tell(source, package);
  std::fprintf(stderr, "%s\n", PlanText(plan).c_str());
  BATON_ASSIGN_OR_RETURN(const std::string id, Submit(*api, flags, plan, package, reading));
  TellId(context, id, package.spec.name);
  return absl::OkStatus();
}

}  // namespace

void AddSweep(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, "sweep", "Run a job again and again with other parameters, for the best of a metric",
      "baton sweep tuning.yml --entry train.py --gpus 1\n\n"
      "The file is cloudml's tuning.yml as it is, or shorter:\n"
      "  metric: val_accuracy\n"
      "  goal: maximize                  # or minimize\n"
      "  algorithm: random               # or grid\n"
      "  max_trials: 20\n"
      "  parallel_trials: 2\n"
      "  params:\n"
      "    lr: {min: 0.0001, max: 0.1, scale: log}\n"
      "    units: [32, 64, 128]\n"
      "  entry: train.py                 # or command: [..], or job: lenet.yaml\n"
      "All other keys are those of a baton.yml. A script finds a trial's parameters as it finds\n"
      "those of --flag; of a native job they are fields of its spec, as --set has them.");
  verb->add_option("file", flags->file, "tuning.yml, or a file of the shorter form")->required();
  verb->add_option("--entry", flags->entry, "the script or the spec to run, in place of the file's")
      ->type_name("FILE");
  flags->job = AddJobFlags(*verb);
  verb->add_option("--folder", flags->job->folder,
                   "the working folder to pack, where the script lies in a folder below it");
  verb->add_option("--set", flags->job->overrides.sets,
                   "change a field of the job's spec, for all trials")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--master-type", flags->job->master_type,
                   "cloudml's name of a machine for each trial, such as standard_gpu")
      ->type_name("NAME");
  verb->add_option("--config", flags->job->config,
                   "cloudml's cloudml.yml, for the machine that it names, in place of the file's")
      ->type_name("FILE");
  verb->add_option("--ranks", flags->job->overrides.ranks, "of each trial: 2, or 1..3");
  verb->add_option("--name", flags->name,
                   "the sweep's name (the job's); its trials are NAME-1, ..");
  verb->add_option("--max-trials", flags->max_trials, "trials in all, in place of the file's")
      ->check(CLI::Range(int64_t{1}, spec::kTrialsMax));
  verb->add_option("--parallel-trials", flags->parallel_trials,
                   "trials at a time, in place of the file's")
      ->check(CLI::Range(int64_t{1}, spec::kParallelTrialsMax));
  verb->add_option("--seed", flags->seed, "of the random search, in place of the file's (1)");
  verb->add_flag("--dry-run", flags->dry_run, "check everything and send nothing");
  verb->add_flag("--queue-anyway", flags->queue_anyway,
                 "queue it even when no known node could ever run a trial");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
