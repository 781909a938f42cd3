// What a step is to do, as it travels from the node of the batch script to the others. Pure; the
// standard library and JSON only.
#pragma once

#include <string>
#include <vector>

#include "worker/step/plan.h"

namespace baton::worker {

// Paths that are others on another node.
struct NodePaths {
  std::string task;         // the task's folder
  std::string data;         // BATON_DATA_DIR
  std::string environment;  // BATON_ENVIRONMENT_DIR
};

struct StepOrder {
  int step = 0;
  std::vector<std::string> argv;
  std::string folder;              // to run in
  Variables set;                   // changes of the batch task's environment
  std::vector<std::string> unset;  // likewise
  bool label = false;
  bool kill_on_bad_exit = true;
  int cpus = 0;
  StepPlan plan;
  NodePaths paths;  // of the node that sends it
};

// Any bytes in, base64 out.
std::string EncodeOrder(const StepOrder& order);
// False: these bytes are none.
bool DecodeOrder(const std::string& text, StepOrder* order);

// The same for another node: its paths in place of the sender's, also inside of words.
StepOrder Moved(const StepOrder& order, const NodePaths& to);

// What makes `now` of `before`, both NAME=value.
void SetChanges(const std::vector<std::string>& before, const std::vector<std::string>& now,
                StepOrder* order);
// And the other way: `own` with the changes.
std::vector<std::string> WithChanges(const std::vector<std::string>& own, const StepOrder& order);

}  // namespace baton::worker
