#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"
#include "client/doctor_job.h"
#include "client/exit_code.h"
#include "client/probe.h"
#include "client/render/format.h"
#include "client/render/json.h"
#include "client/render/show.h"
#include "client/trainer_program.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

// A machine may be a fine one without a scheduler: that one is not reached breaks nothing.
absl::StatusOr<std::vector<v1::Node>> Nodes(const Context& context) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  return api->ListNodes();
}

std::string ClusterText(const absl::StatusOr<std::vector<v1::Node>>& nodes) {
  if (!nodes.ok()) {
    return absl::StrCat("scheduler  not reached: ", std::string(nodes.status().message()), "\n");
  }
  return absl::StrCat("scheduler  answers; it has ", nodes->size(), " nodes\n",
                      nodes->empty() ? "" : NodeTableText(*nodes));
}

Json ClusterJson(const absl::StatusOr<std::vector<v1::Node>>& nodes) {
  if (!nodes.ok()) {
    return {{"reached", false}, {"error", std::string(nodes.status().message())}};
  }
  Json list = Json::array();
  for (const v1::Node& node : *nodes) list.push_back(NodeJson(node));
  return {{"reached", true}, {"nodes", list}};
}

absl::Status RunThere(Context& context, DoctorJob what) {
  what.json = context.json();
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const DoctorAnswer answer, RunDoctorJob(*api, what, Context::interrupted));
  if (answer.job.state() != v1::SUCCEEDED) {
    std::fputs(answer.log.c_str(), stderr);
    std::fprintf(stderr, "baton: the job could not look around: %s: %s; baton logs %s\n",
                 StateName(answer.job.state()).c_str(), answer.job.reason().c_str(),
                 answer.job.id().c_str());
    context.exit_code = ExitCodeOf(answer.job);
    return absl::OkStatus();
  }
  BATON_ASSIGN_OR_RETURN(const Json found, ParseProbe(answer.log));
  for (const auto& part : found) {
    if (part.contains("error")) context.exit_code = kProgramFailed;
  }
  std::fputs(context.json() ? Pretty(found).c_str() : ProbeText(found).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Run(Context& context) {
  const absl::StatusOr<TrainerRun> trainer =
      RunTrainer({"doctor", "--output", context.json() ? "json" : "text"});
  const absl::StatusOr<std::vector<v1::Node>> nodes = Nodes(context);
  if (context.json()) {
    Json json = {{"scheduler", ClusterJson(nodes)}};
    json["trainer"] = trainer.ok() ? Json::parse(trainer->output, nullptr, false)
                                   : Json{{"error", std::string(trainer.status().message())}};
    std::fputs(Pretty(json).c_str(), stdout);
  } else {
    if (trainer.ok()) std::fputs(trainer->output.c_str(), stdout);
    std::fputs(ClusterText(nodes).c_str(), stdout);
  }
  BATON_RETURN_IF_ERROR(trainer.status());
  if (trainer->exit_code != 0) context.exit_code = kProgramFailed;
  return absl::OkStatus();
}

}  // namespace

void AddDoctor(CLI::App& app, Context& context) {
  auto what = std::make_shared<DoctorJob>();
  CLI::App* verb =
      AddVerb(app, "doctor",
              "What this machine has for training, tried out, and whether the scheduler answers\n"
              "(exit code 0: everything that is there works, 1: something does not); or what a\n"
              "node has, or what a job of this spec or script would find where it runs",
              "baton doctor -o json\n"
              "         baton doctor --node spot-a\n"
              "         baton doctor --job train.py");
  verb->add_option("--node", what->node, "a node's name: a small job looks at it")
      ->type_name("NAME");
  verb->add_option("--job", what->spec,
                   "a spec or script: starts its environment, on --node where that is given, and "
                   "says what torch, TensorFlow, JAX and R see there")
      ->type_name("FILE");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, what] {
    return what->node.empty() && what->spec.empty() ? Run(context) : RunThere(context, *what);
  });
}

}  // namespace baton::client
