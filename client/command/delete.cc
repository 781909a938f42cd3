#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

absl::Status AskPerson(const v1::Job& job) {
  if (::isatty(STDIN_FILENO) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing was deleted: without a terminal to ask on, say so with --yes "
                     "(baton delete --yes ",
                     job.id(), ")"));
  }
  std::fprintf(stderr,
               "%s  %s  %s: its record, logs, metrics, %d checkpoints and outputs go for good. "
               "Delete it? [y/N] ",
               job.name().c_str(), job.id().c_str(), StateName(job.state()).c_str(),
               job.checkpoints_size());
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return absl::CancelledError("nothing was deleted");
}

absl::Status Run(const Context& context, const std::string& name, bool sure) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
  if (!sure) BATON_RETURN_IF_ERROR(AskPerson(job));
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
                           "and outputs",
                           "baton delete lenet --yes");
  auto name = std::make_shared<std::string>();
  auto sure = std::make_shared<bool>(false);
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest")->required();
  verb->add_flag("--yes", *sure, "do not ask; needed without a terminal");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name, sure] { return Run(context, *name, *sure); });
}

}  // namespace baton::client
