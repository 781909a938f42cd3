// Which unfinished jobs use which pushed data. Asks the core's thread for a few thousand jobs at a
// time; blocks, so not on that thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/edge/driver.h"

namespace baton::edge {

// Ids of unfinished jobs by the manifest of the data they use.
using DataUsers = std::map<std::string, std::vector<state::JobId>>;

absl::StatusOr<DataUsers> UsersOfData(Driver& driver);

}  // namespace baton::edge
