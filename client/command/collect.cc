#include "client/collect.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

std::string NoOutput(const v1::Job& job) {
  const bool ended =
      job.state() == v1::SUCCEEDED || job.state() == v1::FAILED || job.state() == v1::CANCELLED;
  if (!ended) return "no output yet";
  return job.output_digest().empty() ? "it left no output" : "no output";
}

absl::Status StatusOf(const Collected& collected) {
  if (collected.losses.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      absl::StrJoin(collected.losses, "; "), "; what else there is has been collected",
      collected.checkpoint.empty() ? "" : absl::StrCat(", with ", collected.checkpoint)));
}

absl::Status Run(const Context& context, const std::string& name, const std::string& to) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(name));
  const std::string folder = to.empty() ? absl::StrCat("runs/", job.name()) : to;
  BATON_ASSIGN_OR_RETURN(const Collected collected,
                         Collect(*api, job, folder, Context::interrupted));
  for (const std::string& note : collected.notes) {
    std::fprintf(stderr, "baton: %s\n", note.c_str());
  }
  if (context.json()) {
    std::fputs(Pretty({{"id", job.id()},
                       {"state", StateName(job.state())},
                       {"folder", collected.folder},
                       {"output_files", collected.output_files},
                       {"checkpoint", collected.checkpoint},
                       {"notes", collected.notes},
                       {"losses", collected.losses}})
                   .c_str(),
               stdout);
    return StatusOf(collected);
  }
  std::string what = absl::StrCat(collected.output_files, " output files");
  if (collected.output_files == 0) {
    what = collected.checkpoint.empty() ? NoOutput(job)
                                        : absl::StrCat("checkpoint ", collected.checkpoint);
  }
  std::printf("%s  %s: %s, logs and metrics are in %s\n", job.name().c_str(),
              StateName(job.state()).c_str(), what.c_str(), folder.c_str());
  return StatusOf(collected);
}

}  // namespace

void AddCollect(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "collect", "Fetch a job's outputs, logs and metrics, whatever its state",
              "baton collect lenet --to runs/lenet");
  auto name = std::make_shared<std::string>("latest");
  auto to = std::make_shared<std::string>();
  verb->add_option("job", *name, "a name, an id or its unique prefix, or latest");
  verb->add_option("--to", *to, "the folder (runs/NAME)");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, name, to] { return Run(context, *name, *to); });
}

}  // namespace baton::client
