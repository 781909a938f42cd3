#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "client/render/show.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status Run(const Context& context) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, api->ListJobs());
  if (!context.json()) {
    std::fputs(JobTableText(jobs).c_str(), stdout);
    return absl::OkStatus();
  }
  auto list = nlohmann::ordered_json::array();
  for (const v1::Job& job : jobs) list.push_back(JobSummaryJson(job));
  std::fputs(Pretty(list).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddJobs(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "jobs", "List all jobs, newest first", "baton jobs -o json");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context] { return Run(context); });
}

}  // namespace baton::client
