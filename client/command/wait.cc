#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::StatusOr<v1::Job> WaitFor(Api& api, const std::string& id) {
  v1::Job last;
  BATON_RETURN_IF_ERROR(api.Watch(id, Context::interrupted, [&](const auto& update) {
    last = update.job();
    return !HasStopped(last);
  }));
  return last;
}

// How something ended that was waited for.
struct End {
  std::string line;
  nlohmann::ordered_json json;
  ExitCode code = kOk;
};

std::string LineOf(const std::string& name, const std::string& id, const std::string& state,
                   const std::string& reason) {
  return absl::StrCat(name, "  ", id, "  ", state, reason.empty() ? "" : ": ", reason);
}

absl::StatusOr<End> WaitForEither(Api& api, const JobOrSweep& found) {
  if (found.sweep != nullptr) {
    BATON_ASSIGN_OR_RETURN(const v1::Sweep last,
                           SweepApi(api).Wait(found.sweep->id(), Context::interrupted));
    const std::string state = last.held() ? "HELD" : StateName(last.state());
    return End{LineOf(last.name(), last.id(), state, last.reason()), SweepJson(last),
               ExitCodeOf(last)};
  }
  BATON_ASSIGN_OR_RETURN(const v1::Job last, WaitFor(api, found.job->id()));
  return End{LineOf(last.name(), last.id(), StateName(last.state()), last.reason()),
             JobSummaryJson(last), ExitCodeOf(last)};
}

// The exit code is that of the first one, in the order given, that did not succeed.
absl::Status Run(Context& context, const std::vector<std::string>& names) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  // All of them first: a wrong name is told now, not when the others have ended.
  std::vector<JobOrSweep> all;
  for (const std::string& name : names) {
    BATON_ASSIGN_OR_RETURN(JobOrSweep found, FindJobOrSweep(*api, name));
    all.push_back(std::move(found));
  }
  auto list = nlohmann::ordered_json::array();
  for (const JobOrSweep& found : all) {
    const absl::StatusOr<End> end = WaitForEither(*api, found);
    if (absl::IsCancelled(end.status())) {
      return absl::CancelledError(
          absl::StrCat("interrupted; what was waited for goes on, come back with: baton wait ",
                       absl::StrJoin(names, " ")));
    }
    BATON_RETURN_IF_ERROR(end.status());
    if (context.exit_code == kOk) context.exit_code = end->code;
    if (context.json()) {
      list.push_back(end->json);
      continue;
    }
    std::printf("%s\n", end->line.c_str());
    std::fflush(stdout);
  }
  if (context.json()) std::fputs(Pretty(list).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddWait(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "wait",
              "Wait until the jobs or sweeps have ended; the exit code tells how (0 succeeded, "
              "1 failed, 4 cancelled, 5 held by the scheduler); a paused job is waited "
              "for. Of several jobs it is that "
              "of the first one, in the order given, that did not succeed. A sweep has succeeded "
              "if one of its trials has, and told a value of the metric",
              "baton wait lenet && baton collect lenet");
  auto names = std::make_shared<std::vector<std::string>>();
  verb->add_option("jobs", *names, "names, ids or their unique prefixes, or latest")->required();
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, names] { return Run(context, *names); });
}

}  // namespace baton::client
