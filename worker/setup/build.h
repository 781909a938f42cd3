// Makes an environment on this node: runs its steps in a copy of the package and notes what came of
// it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/setup/facts.h"
#include "worker/setup/steps.h"

namespace baton::worker {

struct BuildRequest {
  EnvironmentPlan plan;
  NodeTools tools;
  std::string key;
  std::string package;                   // folder, not to be written to; empty: no files
  std::string folder;                    // of the environment (folders.h), not there yet
  std::vector<std::string> environment;  // NAME=value, that the steps are run with
  std::vector<std::string> of_the_node;  // NAME=value, for installers beside it
  std::string mark;                      // of `environment`, as in ChildRequest
  std::function<bool()> cancelled;
  std::function<void(absl::string_view)> output;     // what the steps print
  std::function<void(const std::string& text)> say;  // a line of the worker's own
};

// InvalidArgument, with the step and its last words: the program's own fault. FailedPrecondition:
// the node lacks a tool; ResourceExhausted: its disk is full; Unavailable: the node's fault, or the
// network's (fault.h). Cancelled. On failure the folder is of no use.
absl::StatusOr<EnvironmentFacts> BuildEnvironment(const BuildRequest& request);

// `environment` with what a program finds in the surroundings.
std::vector<std::string> Within(const Surroundings& around,
                                const std::vector<std::string>& environment);

}  // namespace baton::worker
