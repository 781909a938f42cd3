// The commands that make an environment, in order. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/setup/key.h"
#include "worker/setup/plan.h"
#include "worker/task/environment.h"

namespace baton::worker {

struct SetupStep {
  std::string title;  // as people read it in the log
  std::vector<std::string> argv;
  bool is_the_jobs = false;  // a command of the spec: the node's own settings are not for it
};

// Makes the environment in the folder `prefix`, which is there and empty; run in a copy of the
// package. FailedPrecondition names the tool that the node lacks and says how it gets it.
absl::StatusOr<std::vector<SetupStep>> StepsOf(const EnvironmentPlan& plan, const NodeTools& tools,
                                               const std::string& prefix);

// Whether the environment is a virtual environment of Python.
bool HasVenv(const EnvironmentPlan& plan, const NodeTools& tools);

// What a program finds that runs in it; the commands of `setup` find the same.
Surroundings SurroundingsOf(const EnvironmentPlan& plan, const NodeTools& tools,
                            const std::string& prefix);

}  // namespace baton::worker
