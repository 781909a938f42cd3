// Environments that a node has already: conda:NAME, venv:PATH, and images of containers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/setup/facts.h"
#include "worker/task/environment.h"

namespace baton::worker {

struct NodeEnvironment {
  Surroundings around;
  EnvironmentFacts facts;
};

// FailedPrecondition says where it was looked for.
absl::StatusOr<NodeEnvironment> FindNodeEnvironment(const std::string& use,
                                                    const std::vector<std::string>& environment);

// Where conda keeps an environment of this name, in the order of the looks. Pure.
std::vector<std::string> CondaPlaces(const std::string& name, const std::string& conda,
                                     const std::string& home);

struct ImageRequest {
  std::string image;
  std::vector<std::string> environment;  // NAME=value
  std::string mark;
  std::function<bool()> cancelled;
  std::function<void(absl::string_view)> output;
  std::function<void(const std::string& text)> say;
};

// Has the image on the node. FailedPrecondition: no runtime is there; InvalidArgument: there is no
// such image; Unavailable and ResourceExhausted: the node's fault, or the network's (fault.h).
absl::StatusOr<NodeEnvironment> PrepareImage(const ImageRequest& request);

}  // namespace baton::worker
