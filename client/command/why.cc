#include <cstdio>

#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/show.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status RunOfSweep(const Context& context, Api& api, const std::string& id) {
  BATON_ASSIGN_OR_RETURN(const v1::GetSweepResponse answer, SweepApi(api).Explain(id));
  const v1::Sweep& sweep = answer.sweep();
  if (context.json()) {
    nlohmann::ordered_json json = SweepJson(sweep);
    json["notes"] = nlohmann::ordered_json::array();
    for (const v1::Note& note : answer.notes()) json["notes"].push_back(NoteJson(note));
    std::fputs(Pretty(json).c_str(), stdout);
    return absl::OkStatus();
  }
  std::printf("%s  %s  %s%s%s\n", sweep.name().c_str(), sweep.id().c_str(),
              StateName(sweep.state()).c_str(), sweep.reason().empty() ? "" : ": ",
              sweep.reason().c_str());
  for (const v1::Note& note : answer.notes()) std::fputs(NoteText(note).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Run(const Context& context, const std::string& name) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const JobOrSweep found, FindJobOrSweep(*api, name));
  if (found.sweep != nullptr) return RunOfSweep(context, *api, found.sweep->id());
  BATON_ASSIGN_OR_RETURN(const v1::ExplainResponse answer, api->Explain(found.job->id()));
  if (context.json()) {
    nlohmann::ordered_json json = JobSummaryJson(answer.job());
    json["notes"] = nlohmann::ordered_json::array();
    for (const v1::Note& note : answer.notes()) json["notes"].push_back(NoteJson(note));
    std::fputs(Pretty(json).c_str(), stdout);
    return absl::OkStatus();
  }
  const v1::Job& job = answer.job();
  std::printf("%s  %s  %s%s%s\n", job.name().c_str(), job.id().c_str(),
              StateName(job.state()).c_str(), job.reason().empty() ? "" : ": ",
              job.reason().c_str());
  for (const v1::Note& note : answer.notes()) std::fputs(NoteText(note).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddWhy(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(
      app, "why",
      "Tell what was decided about a job or a sweep, and why, from the scheduler's event log",
      "baton why lenet");
  auto name = std::make_shared<std::string>("latest");
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name] { return Run(context, *name); });
}

}  // namespace baton::client
