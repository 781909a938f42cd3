#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
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

// The exit code is that of the first job, in the order given, that did not succeed.
absl::Status Run(Context& context, const std::vector<std::string>& names) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  // All of them first: a wrong name is told now, not when the others have ended.
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
    ids.push_back(job.id());
  }
  auto list = nlohmann::ordered_json::array();
  for (const std::string& id : ids) {
    const absl::StatusOr<v1::Job> waited = WaitFor(*api, id);
    if (absl::IsCancelled(waited.status())) {
      return absl::CancelledError(
          absl::StrCat("interrupted; what was waited for goes on, come back with: baton wait ",
                       absl::StrJoin(names, " ")));
    }
    BATON_RETURN_IF_ERROR(waited.status());
    const v1::Job& last = *waited;
    if (context.exit_code == kOk) context.exit_code = ExitCodeOf(last);
    if (context.json()) {
      list.push_back(JobSummaryJson(last));
      continue;
    }
    std::printf("%s  %s  %s%s%s\n", last.name().c_str(), last.id().c_str(),
                StateName(last.state()).c_str(), last.reason().empty() ? "" : ": ",
                last.reason().c_str());
    std::fflush(stdout);
  }
  if (context.json()) std::fputs(Pretty(list).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddWait(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "wait",
              "Wait until the jobs have ended; the exit code tells how (0 succeeded, "
              "1 failed, 4 cancelled, 5 held by the scheduler); a paused job is waited "
              "for. Of several jobs it is that "
              "of the first one, in the order given, that did not succeed",
              "baton wait lenet && baton collect lenet");
  auto names = std::make_shared<std::vector<std::string>>();
  verb->add_option("jobs", *names, "names, ids or their unique prefixes, or latest")->required();
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, names] { return Run(context, *names); });
}

}  // namespace baton::client
