#include <cstdio>

#include "client/command/command.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

struct Flags {
  std::string node;
  std::string reason;
  double grace_s = 0;
};

absl::Status Run(const Context& context, const v1::DrainNodeRequest& request) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  BATON_ASSIGN_OR_RETURN(const v1::Node node, api->DrainNode(request));
  if (context.json()) {
    std::fputs(Pretty(NodeJson(node)).c_str(), stdout);
  } else if (request.undrain()) {
    std::printf("%s takes work again\n", node.name().c_str());
  } else {
    std::printf("%s takes no new work; its tasks are handed on. Back with: baton undrain %s\n",
                node.name().c_str(), node.name().c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDrain(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* drain =
      AddVerb(app, "drain", "Give a node's tasks a notice, hand them on, and place nothing there",
              "baton drain spot-a --grace 25");
  drain->add_option("node", flags->node, "its name, id or unique prefix")->required();
  drain->add_option("--grace", flags->grace_s, "seconds until what still runs is killed (25)")
      ->check(CLI::Range(0.0, 86400.0));
  drain->add_option("--reason", flags->reason, "a few words for those who ask why");
  AddOutputFlag(*drain, context);
  OnVerb(*drain, context, [&context, flags] {
    v1::DrainNodeRequest request;
    request.set_node(flags->node);
    request.set_reason(flags->reason);
    request.set_grace_ms(static_cast<int64_t>(flags->grace_s * 1000));
    return Run(context, request);
  });

  CLI::App* undrain =
      AddVerb(app, "undrain", "Let a drained node take work again", "baton undrain spot-a");
  undrain->add_option("node", flags->node, "its name, id or unique prefix")->required();
  AddOutputFlag(*undrain, context);
  OnVerb(*undrain, context, [&context, flags] {
    v1::DrainNodeRequest request;
    request.set_node(flags->node);
    request.set_undrain(true);
    return Run(context, request);
  });
}

}  // namespace baton::client
