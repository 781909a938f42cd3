#include "client/doctor_job.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/job_source.h"
#include "client/package.h"
#include "client/probe.h"
#include "client/refusal.h"
#include "client/render/format.h"
#include "client/wire_spec.h"
#include "common/ids.h"
#include "common/status.h"

namespace baton::client {
namespace {

constexpr int64_t kTimeLimitMs = int64_t{60} * 60 * 1000;  // environments take their time

absl::Status CheckNode(Api& api, const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::Node> nodes, api.ListNodes());
  std::vector<std::string> names;
  for (const v1::Node& node : nodes) {
    if (node.name() != name) {
      names.push_back(node.name());
    } else if (node.state() != "up") {
      return absl::FailedPreconditionError(
          absl::StrCat("node ", name, " is ", node.state(), node.reason().empty() ? "" : ": ",
                       node.reason(), "; only one that is up can be looked at"));
    } else {
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(absl::StrCat("no node is called `", name, "`; there are: ",
                                          names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

// The job's place and environment, and nothing of what it does.
void MakeProbe(const DoctorJob& what, spec::JobSpec* job) {
  job->name = "doctor";
  job->command = ProbeCommand(!what.spec.empty() ? ProbeTrainer::kNo
                              : what.json        ? ProbeTrainer::kJson
                                                 : ProbeTrainer::kText);
  job->native.reset();
  job->entry.clear();
  job->params_json = "{}";
  job->flags_as_arguments = false;
  job->slurm = false;
  job->checkpoint_globs.clear();
  job->metrics.clear();
  job->data.clear();
  job->secrets.clear();
  job->ranks = {};
  job->ranks_per_node = 0;
  job->launch = spec::Launch::kRank;
  job->retries = 0;
  job->priority = 100;
  job->time_limit_ms = kTimeLimitMs;
  if (what.spec.empty()) job->resources.cpu_millis = 1;  // it fits beside most work
  if (!what.node.empty()) job->require["node"] = what.node;
}

absl::StatusOr<v1::JobSpec> Sent(Api& api, const DoctorJob& what) {
  if (what.spec.empty()) {
    spec::JobSpec job;
    MakeProbe(what, &job);
    return WireSpec(job);
  }
  JobSourceOptions options;
  options.target = what.spec;
  BATON_ASSIGN_OR_RETURN(JobSource source, ReadJobSource(options));
  BATON_RETURN_IF_ERROR(source.reading.mistakes.ToStatus());
  const bool is_native = source.reading.spec.native.has_value();
  MakeProbe(what, &source.reading.spec);
  // Such a job runs the trainer, and nothing that its folder may ask for.
  if (is_native) {
    source.reading.spec.command =
        ProbeCommand(what.json ? ProbeTrainer::kJson : ProbeTrainer::kText);
    return WireSpec(source.reading.spec);
  }
  const PackagePlan plan = PlanPackage(source.folder, &source.reading);
  BATON_RETURN_IF_ERROR(source.reading.mistakes.ToStatus());
  return UploadPackage(plan, api.blobs(), {});
}

absl::StatusOr<std::string> LogOf(Api& api, const std::string& id, const std::atomic<bool>& stop) {
  std::string log;
  BATON_RETURN_IF_ERROR(api.Read(
      id, {}, stop, [&log](const v1::ReadStreamsResponse& piece) { log.append(piece.data()); }));
  return log;
}

absl::StatusOr<v1::Job> Await(Api& api, const std::string& id, const std::atomic<bool>& stop) {
  v1::Job job;
  std::string said;
  const absl::Status watched = api.Watch(id, stop, [&](const v1::WatchJobResponse& seen) {
    job = seen.job();
    const std::string says =
        absl::StrCat(StateName(job.state()), job.reason().empty() ? "" : ": ", job.reason());
    if (says != said) std::fprintf(stderr, "doctor  %s\n", says.c_str());
    said = says;
    return job.state() != v1::HELD;
  });
  if (absl::IsCancelled(watched)) (void)api.Cancel(id);
  BATON_RETURN_IF_ERROR(watched);
  return job;
}

}  // namespace

absl::StatusOr<DoctorAnswer> RunDoctorJob(Api& api, const DoctorJob& what,
                                          const std::atomic<bool>& stop) {
  BATON_RETURN_IF_ERROR(CheckNode(api, what.node));
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  *request.mutable_submitter() = ThisSubmitter();
  BATON_ASSIGN_OR_RETURN(*request.add_jobs(), Sent(api, what));
  BATON_ASSIGN_OR_RETURN(const v1::SubmitJobsResponse response, api.Submit(request));
  const std::string id = response.job_ids(0);
  DoctorAnswer answer;
  BATON_ASSIGN_OR_RETURN(answer.job, Await(api, id, stop));
  BATON_ASSIGN_OR_RETURN(answer.log, LogOf(api, id, stop));
  if (answer.job.state() == v1::HELD) (void)api.Cancel(id);
  if (answer.job.state() == v1::SUCCEEDED) (void)api.Delete(id);
  return answer;
}

}  // namespace baton::client
