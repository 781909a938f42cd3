#include <cstdio>

#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status CancelSweep(const Context& context, Api& api, const std::string& id) {
  BATON_ASSIGN_OR_RETURN(const v1::Sweep sweep, SweepApi(api).Stop(id));
  if (context.json()) {
    std::fputs(Pretty(SweepJson(sweep)).c_str(), stdout);
  } else {
    std::printf(
        "%s  %s  %s\n", sweep.name().c_str(), sweep.id().c_str(),
        sweep.state() == v1::SWEEP_CANCELLED ? "CANCELLED" : "is being stopped, with its trials");
  }
  return absl::OkStatus();
}

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const JobOrSweep found, FindJobOrSweep(*api, name));
  if (found.sweep != nullptr) return CancelSweep(context, *api, found.sweep->id());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->Cancel(name));
  if (context.json()) {
    std::fputs(Pretty(JobSummaryJson(job)).c_str(), stdout);
  } else {
    std::printf("%s  %s  %s\n", job.name().c_str(), job.id().c_str(),
                job.state() == v1::CANCELLED ? "CANCELLED" : "is being stopped");
  }
  return absl::OkStatus();
}

}  // namespace

void AddCancel(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "cancel",
                           "Stop a job; its checkpoints stay, and `baton retry` goes on from them. "
                           "Or a sweep with all of its trials",
                           "baton cancel lenet");
  auto name = std::make_shared<std::string>();
  verb->add_option("job", *name,
                   "of a job or a sweep: a name, an id or its unique prefix, or latest")
      ->required();
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
