#include <cstdio>
#include <vector>

#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::Sweep> sweeps, SweepApi(*api).List());
  if (!context.json()) {
    std::fputs(SweepTableText(sweeps).c_str(), stdout);
    return absl::OkStatus();
  }
  auto list = nlohmann::ordered_json::array();
  for (const v1::Sweep& sweep : sweeps) list.push_back(SweepJson(sweep));
  std::fputs(Pretty(list).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddSweeps(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "sweeps", "List all sweeps, newest first", "baton sweeps -o json");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context] { return Run(context); });
}

}  // namespace baton::client
