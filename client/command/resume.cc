#include <cstdio>

#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->Resume(name));
  if (context.json()) {
    std::fputs(Pretty(JobSummaryJson(job)).c_str(), stdout);
  } else {
    std::printf("%s  %s  %s\n", job.name().c_str(), job.id().c_str(),
                StateName(job.state()).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddResume(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "resume",
                           "Let a held job go on from its newest checkpoint, with its former place "
                           "in the queue",
                           "baton resume lenet");
  auto name = std::make_shared<std::string>();
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest")->required();
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
