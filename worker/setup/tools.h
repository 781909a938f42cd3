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

struct PythonFacts {
  std::string version;  // "3.11.2"; empty: it can't be asked
  std::string platform;
  std::string prefix;
  bool has_venv = false;
  bool has_pip = false;               // to put into a virtual environment
  std::vector<std::string> folders;   // that it finds packages in
  std::vector<std::string> packages;  // name==version, sorted
};

PythonFacts AskPython(const std::string& python, const std::vector<std::string>& environment,
                      const std::function<bool()>& cancelled = nullptr);

// What Rscript sees in its libraries, as name==version; empty when it can't be asked. `version`:
// R's.
std::vector<std::string> RPackages(const std::string& rscript,
                                   const std::vector<std::string>& environment,
                                   std::string* version,
                                   const std::function<bool()>& cancelled = nullptr);

}  // namespace baton::worker
