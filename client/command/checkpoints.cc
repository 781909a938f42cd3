#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/show.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
  std::fputs((context.json() ? Pretty(CheckpointsJson(job)) : CheckpointsText(job)).c_str(),
             stdout);
  return absl::OkStatus();
}

}  // namespace

void AddCheckpoints(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "checkpoints", "List a job's committed checkpoints", "baton checkpoints lenet");
  auto name = std::make_shared<std::string>("latest");
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
