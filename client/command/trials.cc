#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Sweep sweep, SweepApi(*api).Get(name, SweepApi::Trials::kAll));
  std::fputs((context.json() ? Pretty(TrialsJson(sweep)) : TrialsText(sweep)).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddTrials(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "trials", "The trials of a sweep with their parameters, and the best",
              "baton trials latest -o json");
  auto name = std::make_shared<std::string>();
  verb->add_option("sweep", *name, "a name, an id or its unique prefix, or latest")->required();
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
