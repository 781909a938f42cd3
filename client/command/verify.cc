#include "client/verify.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/command/submit_words.h"
#include "client/follow.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "common/ids.h"
#include "common/status.h"

namespace baton::client {
namespace {

// `follow`: until all that the job writes has come.
absl::StatusOr<ChainEntries> ReadChain(Api& api, const std::string& job, bool follow) {
  MetricLines metrics;
  Api::ReadOptions options;
  options.kind = v1::METRICS;
  options.follow = follow;
  BATON_RETURN_IF_ERROR(api.Read(job, options, Context::interrupted, [&](const auto& piece) {
    metrics.Add(piece.attempt(), piece.rank(), piece.data());
  }));
  return ChainEntriesOf(metrics);
}

absl::StatusOr<std::string> SubmitReplay(Api& api, const ReplayPlan& plan) {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  *request.mutable_submitter() = ThisSubmitter();
  *request.add_jobs() = plan.spec;
  const absl::StatusOr<v1::SubmitJobsResponse> response = api.Submit(request);
  if (!response.ok()) {
    return absl::Status(
        response.status().code(),
        absl::StrCat("the replay on ", plan.ranks, plan.ranks == 1 ? " rank" : " ranks",
                     " was refused: ", response.status().message()));
  }
  for (const std::string& warning : response->warnings()) Warn(warning);
  return response->job_ids(0);
}

// The entries of the replay once it has ended. What cuts the wait off ends the replay, too: nobody
// would compare it.
absl::StatusOr<ChainEntries> WaitForReplay(Api& api, const std::string& id) {
  const absl::StatusOr<v1::Job> job = Follow(api, id, Context::interrupted);
  if (absl::IsCancelled(job.status())) {
    BATON_RETURN_IF_ERROR(api.Cancel(id).status());
    return absl::CancelledError(
        absl::StrCat("interrupted; the replay, job ", id, ", is cancelled"));
  }
  BATON_RETURN_IF_ERROR(job.status());
  if (job->state() != v1::SUCCEEDED) {
    return absl::AbortedError(
        absl::StrCat("nothing was compared: the replay, job ", id, ", is ", StateName(job->state()),
                     job->reason().empty() ? "" : ": ", job->reason(), "; see: baton logs ", id));
  }
  return ReadChain(api, id, true);
}

absl::Status Run(Context& context, const std::string& name, const VerifyOptions& options) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
  BATON_ASSIGN_OR_RETURN(const ChainEntries entries, ReadChain(*api, job.id(), false));
  BATON_ASSIGN_OR_RETURN(const ReplayPlan plan, PlanReplay(job, entries, options));
  BATON_ASSIGN_OR_RETURN(const std::string id, SubmitReplay(*api, plan));
  BATON_ASSIGN_OR_RETURN(const ChainEntries replayed, WaitForReplay(*api, id));
  const ChainVerdict verdict = CompareChains(plan.expected, replayed);
  if (verdict.missing != 0 && !verdict.first) {
    return absl::AbortedError(absl::StrCat(
        "the replay, job ", id, ", has no entry of its hash chain for step ", verdict.missing,
        "; the ", verdict.same, " before it are the same; see: baton logs ", id));
  }
  if (context.json()) {
    std::fputs(Pretty(VerdictJson(job, id, plan, verdict)).c_str(), stdout);
  } else {
    std::printf("%s\n", VerdictText(job, plan, verdict).c_str());
  }
  if (!verdict.first) return absl::OkStatus();
  context.exit_code = kProgramFailed;
  Warn(
      absl::StrCat("other kinds of machines and other builds of the trainer give other bits; where "
                   "the replay ran on some, its log says so: baton logs ",
                   id));
  return absl::OkStatus();
}

}  // namespace

void AddVerify(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(
      app, "verify",
      "Repeat steps of a native job on another number of ranks and compare the hash chains: exit "
      "code 0 when all entries are the same, 1 when one differs. The replay is a job of its own, "
      "verify-NAME, which leaves no model",
      "baton verify lenet --from 400 --to 900");
  auto name = std::make_shared<std::string>("latest");
  auto options = std::make_shared<VerifyOptions>();
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest");
  verb->add_option("--from", options->from,
                   "compare from this step on, beginning with the newest kept checkpoint before it "
                   "(0: the whole run)")
      ->type_name("STEP")
      ->check(NumberFrom(0));
  verb->add_option("--to", options->to, "compare up to this step (the last entry)")
      ->type_name("STEP")
      ->check(NumberFrom(1));
  verb->add_option("--ranks", options->ranks, "of the replay (1, or 2 where the job had 1)")
      ->type_name("N")
      ->check(NumberFrom(1));
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name, options] { return Run(context, *name, *options); });
}

}  // namespace baton::client
