#include "client/render/show.h"

#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
  std::fputs((context.json() ? Pretty(JobJson(job)) : JobText(job)).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddShow(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(
      app, "show",
      "Show a job: its state and why it waits, attempts, checkpoints, metrics, time and cost",
      "baton show latest");
  auto name = std::make_shared<std::string>("latest");
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
