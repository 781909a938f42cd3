#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context, const std::string& name, const std::string& from_what) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->Retry(name, from_what));
  if (context.json()) {
    std::fputs(Pretty(JobSummaryJson(job)).c_str(), stdout);
    return absl::OkStatus();
  }
  const std::string from =
      job.checkpoints().empty()
          ? "from the start"
          : "from checkpoint " + job.checkpoints(job.checkpoints_size() - 1).name();
  std::printf("%s  %s  is queued again, %s\n", job.name().c_str(), job.id().c_str(), from.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddRetry(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "retry", "Queue a failed or cancelled job again, from its newest checkpoint",
              "baton retry lenet");
  auto name = std::make_shared<std::string>();
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest")->required();
  auto from = std::make_shared<std::string>();
  verb->add_option("--from", *from,
                   "a checkpoint by name or step, or scratch; newer ones are given up (to keep "
                   "them: baton train --from)");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name, from] { return Run(context, *name, *from); });
}

}  // namespace baton::client
