#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/sweep.h"
#include "client/sweep_api.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

// `what` says what goes for good.
absl::Status AskPerson(const std::string& id, const std::string& what) {
  if (::isatty(STDIN_FILENO) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing was deleted: without a terminal to ask on, say so with --yes "
                     "(baton delete --yes ",
                     id, ")"));
  }
  std::fprintf(stderr, "%s go for good. Delete it? [y/N] ", what.c_str());
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return absl::CancelledError("nothing was deleted");
}

absl::Status DeleteSweep(const Context& context, Api& api, const v1::Sweep& sweep, bool sure) {
  // What still runs is refused by the scheduler: nobody is asked about it first.
  const bool runs = sweep.state() == v1::SWEEP_RUNNING || sweep.state() == v1::SWEEP_STOPPING;
  if (!sure && !runs) {
    BATON_RETURN_IF_ERROR(AskPerson(
        sweep.id(),
        absl::StrFormat("sweep %s  %s  %s: its table, and its %d trials' records, logs, metrics, "
                        "checkpoints and outputs",
                        sweep.name(), sweep.id(), StateName(sweep.state()), sweep.trials_made())));
  }
  BATON_ASSIGN_OR_RETURN(const v1::DeleteSweepResponse gone, SweepApi(api).Delete(sweep.id()));
  if (context.json()) {
    std::fputs(Pretty({{"id", gone.sweep_id()},
                       {"name", sweep.name()},
                       {"deleted", true},
                       {"jobs", gone.jobs()}})
                   .c_str(),
               stdout);
  } else {
    std::printf("%s  %s  is deleted, with %d jobs of its trials\n", sweep.name().c_str(),
                gone.sweep_id().c_str(), gone.jobs());
  }
  return absl::OkStatus();
}

absl::Status Run(const Context& context, const std::string& name, bool sure) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const JobOrSweep found, FindJobOrSweep(*api, name));
  if (!found.older.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a job and a sweep are called ", name, ": say which by its id, ",
                     found.sweep != nullptr ? found.older : found.job->id(), " (the job) or ",
                     found.sweep != nullptr ? found.sweep->id() : found.older, " (the sweep)"));
  }
  if (found.sweep != nullptr) return DeleteSweep(context, *api, *found.sweep, sure);
  const v1::Job& job = *found.job;
  if (!sure) {
    BATON_RETURN_IF_ERROR(AskPerson(
        job.id(),
        absl::StrFormat("%s  %s  %s: its record, logs, metrics, %d checkpoints and outputs",
                        job.name(), job.id(), StateName(job.state()), job.checkpoints_size())));
  }
  BATON_ASSIGN_OR_RETURN(const std::string id, api->Delete(job.id()));
  if (context.json()) {
    std::fputs(Pretty({{"id", id}, {"name", job.name()}, {"deleted", true}}).c_str(), stdout);
  } else {
    std::printf("%s  %s  is deleted\n", job.name().c_str(), id.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDelete(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "delete",
                           "Delete a job that has ended: its record, logs, metrics, checkpoints "
                           "and outputs. Or a sweep that has, with the jobs of its trials",
                           "baton delete lenet --yes");
  auto name = std::make_shared<std::string>();
  auto sure = std::make_shared<bool>(false);
  verb->add_option("job", *name,
                   "of a job or a sweep: a name, an id or its unique prefix, or latest")
      ->required();
  verb->add_flag("--yes", *sure, "do not ask; needed without a terminal");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name, sure] { return Run(context, *name, *sure); });
}

}  // namespace baton::client
