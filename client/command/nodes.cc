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
  BATON_ASSIGN_OR_RETURN(const std::vector<v1::Node> nodes, api->ListNodes());
  if (!context.json()) {
    std::fputs(NodeTableText(nodes).c_str(), stdout);
    return absl::OkStatus();
  }
  auto list = nlohmann::ordered_json::array();
  for (const v1::Node& node : nodes) list.push_back(NodeJson(node));
  std::fputs(Pretty(list).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddNodes(CLI::App& app, Context& context) {
  CLI::App* verb =
      AddVerb(app, "nodes", "List all nodes: state, prices, what is free, who runs there",
              "baton nodes -o json");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context] { return Run(context); });
}

}  // namespace baton::client
