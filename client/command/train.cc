#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/command/command.h"
#include "client/continue_from.h"
#include "client/follow.h"
#include "client/package.h"
#include "client/refusal.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "common/ids.h"
#include "common/spec/files.h"
#include "common/spec/memory.h"
#include "common/spec/parse.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string spec_file;
  std::string name;
  spec::Overrides overrides;
  std::string from;  // JOB[@STEP]
  bool follow = false;
  bool dry_run = false;
  bool queue_anyway = false;
};

absl::StatusOr<spec::Reading> ReadSpec(const Flags& flags) {
  spec::Overrides overrides = flags.overrides;
  overrides.name = flags.name;
  BATON_ASSIGN_OR_RETURN(spec::Reading reading, spec::ReadSpecFile(flags.spec_file, overrides));
  spec::CheckFiles(flags.spec_file, &reading);
  return reading;
}

std::string PackedText(const PackagePlan& plan) {
  const auto count = plan.files.size() + 1;  // and the effective spec
  std::string text = absl::StrCat("packed ", count, count == 1 ? " file" : " files", " (",
                                  Bytes(plan.file_bytes), ")");
  if (!plan.data.empty()) {
    absl::StrAppend(&text, ", data ", plan.data.size(), " files ", Bytes(plan.data_bytes));
  }
  if (plan.left_out > 0) {
    absl::StrAppend(&text, ", ", plan.left_out, " left out (.batonignore",
                    plan.clusters_left_out > 0 ? ", a local cluster" : "", ")");
  }
  return text;
}

// Uploads on a terminal show how far they are.
artifact::TransferOptions ShowUpload() {
  artifact::TransferOptions options;
  options.cancelled = [] { return Context::interrupted.load(); };
  if (::isatty(STDERR_FILENO) != 1) return options;
  options.progress = [](const artifact::Progress& p) {
    if (p.bytes_total < (4 << 20)) return;
    std::fprintf(stderr, "\r\x1b[Ksending %s of %s%s", Bytes(p.bytes_done).c_str(),
                 Bytes(p.bytes_total).c_str(), p.bytes_done >= p.bytes_total ? "\n" : "");
  };
  return options;
}

absl::StatusOr<std::string> Submit(Api& api, const Flags& flags, const PackagePlan& plan,
                                   const spec::Reading& reading) {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  *request.mutable_submitter() = ThisSubmitter();
  request.set_queue_anyway(flags.queue_anyway);
  BATON_ASSIGN_OR_RETURN(*request.add_jobs(), UploadPackage(plan, api.blobs(), ShowUpload()));
  if (!flags.from.empty()) {
    BATON_RETURN_IF_ERROR(ContinueFrom(api, flags.from, request.mutable_jobs(0)));
  }
  const absl::StatusOr<v1::SubmitJobsResponse> response = api.Submit(request);
  if (!response.ok()) return AtItsPlace(response.status(), reading);
  for (const std::string& warning : response->warnings()) {
    std::fprintf(stderr, "baton: warning: %s\n", warning.c_str());
  }
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
std::string MemoryOf(const std::string& spec_file, const spec::JobSpec& job,
                     spec::MemoryEstimate* estimate) {
  if (!job.native) return "";
  const std::filesystem::path folder = std::filesystem::path(spec_file).parent_path();
  spec::RankShape shape;
  shape.ranks = job.ranks.min;
  shape.threads = (job.native->shards + shape.ranks - 1) / shape.ranks;
  shape.data_bytes = spec::DataBytes(
      *job.native, [&](const spec::NamedFile& file) -> absl::StatusOr<std::optional<std::string>> {
        BATON_ASSIGN_OR_RETURN(
            std::string path,
            spec::ResolveUri(file.source->uri, folder.empty() ? "." : folder.string()));
        return path;
      });
  const auto found = spec::EstimateMemory(*job.native, shape);
  if (!found.ok()) return "";
  *estimate = *found;
  return spec::MemoryText(*job.native, shape, *found);
}

void DryRun(const Context& context, const PackagePlan& plan, const std::string& memory,
            const spec::MemoryEstimate& estimate) {
  if (context.json()) {
    nlohmann::ordered_json json = {{"name", plan.spec.name},
                                   {"files", plan.files.size() + 1},
                                   {"file_bytes", plan.file_bytes},
                                   {"data_files", plan.data.size()},
                                   {"data_bytes", plan.data_bytes},
                                   {"left_out", plan.left_out},
                                   {"spec", spec::WriteSpec(plan.spec)}};
    if (!memory.empty()) {
      json["memory"] = {{"host_bytes", estimate.host()}, {"device_bytes", estimate.device}};
    }
    std::fputs(Pretty(json).c_str(), stdout);
    return;
  }
  std::string comment;
  for (const absl::string_view line : absl::StrSplit(memory, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&comment, "# ", line, "\n");
  }
  std::printf("# nothing was sent; would be %s\n%s%s", PackedText(plan).c_str(), comment.c_str(),
              spec::WriteSpec(plan.spec).c_str());
}

absl::Status Run(Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(spec::Reading reading, ReadSpec(flags));
  // Before packing gives the files other names.
  spec::MemoryEstimate estimate;
  std::string memory;
  if (flags.dry_run && reading.mistakes.empty()) {
    memory = MemoryOf(flags.spec_file, reading.spec, &estimate);
  }
  const PackagePlan plan = PlanPackage(flags.spec_file, &reading);
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  if (flags.dry_run) {
    DryRun(context, plan, memory, estimate);
    return absl::OkStatus();
  }
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const std::string id, Submit(*api, flags, plan, reading));
  if (context.json()) {
    std::fputs(Pretty({{"id", id}, {"name", plan.spec.name}}).c_str(), stdout);
  } else if (::isatty(STDOUT_FILENO) != 1) {
    std::printf("%s\n", id.c_str());
  } else {
    std::printf("%s   job %s accepted\n", PackedText(plan).c_str(), id.c_str());
  }
  std::fflush(stdout);
  if (flags.follow) return FollowSubmitted(context, *api, id);
  v1::Job queued;
  queued.set_name(id);
  std::fprintf(stderr, "%s\n", NextCommands(queued).c_str());
  return absl::OkStatus();
}

}  // namespace

void AddTrain(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb =
      AddVerb(app, "train", "Submit a job: pack it, send it, queue it",
              "baton train trainer/specs/lenet.yaml --ranks 1..3 --set lr=0.02 --follow");
  verb->add_option("spec", flags->spec_file, "the job's YAML file")->required();
  verb->add_option("--ranks", flags->overrides.ranks, "world sizes that are fine: 2, or 1..3");
  verb->add_option("--name", flags->name, "the job's name (the spec's)")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return std::string(name.empty() ? "is empty; leave it out for the spec's name" : "");
          },
          ""));
  verb->add_option("--set", flags->overrides.sets,
                   "change a field of the spec: optimizer.lr=0.1, or lr=0.1 where that is unique")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--from", flags->from,
                   "begin with a checkpoint of another job, its newest unless a step is given")
      ->type_name("JOB[@STEP]");
  verb->add_flag("--follow", flags->follow, "show its progress; Ctrl-C leaves the job running");
  verb->add_flag("--dry-run", flags->dry_run, "check everything and send nothing");
  verb->add_flag("--queue-anyway", flags->queue_anyway,
                 "queue it even when no known node could ever run it");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
