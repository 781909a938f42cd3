// Rare branches that a long run must reach; else the simulated world has lost its teeth.
#pragma once

#include <string>
#include <vector>

namespace baton::sim {

std::vector<std::string> ExpectedProbes();

}  // namespace baton::sim
