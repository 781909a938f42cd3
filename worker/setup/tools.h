// Looks at what the node has to make environments with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "worker/setup/key.h"

namespace baton::worker {

// The program's path in the PATH of `environment` (NAME=value); empty: it is not there.
std::string FindProgram(const std::string& name, const std::vector<std::string>& environment);

// Asks python3 and R, where the plan needs to know: some tenths of a second.
NodeTools LookForTools(const EnvironmentPlan& plan, const std::vector<std::string>& environment,
                       const std::function<bool()>& cancelled);

// What `python` sees, as name==version, sorted; empty when it can't be asked. `version`: its own.
std::vector<std::string> PythonPackages(const std::string& python,
                                        const std::vector<std::string>& environment,
                                        std::string* version);

// What Rscript sees in its libraries, likewise.
std::vector<std::string> RPackages(const std::string& rscript,
                                   const std::vector<std::string>& environment,
                                   std::string* version);

}  // namespace baton::worker
