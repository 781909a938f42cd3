// What a submit says of the environment that nodes will make for the job.
#pragma once

#include <string>

#include "client/package.h"

namespace baton::client {

// The packed file that is installed unasked; empty: none. Of a program in R its renv.lock, else
// uv.lock, requirements.txt or environment.yml, the first that is there. None where the spec says
// `environment:` or `image:`.
std::string EnvironmentFile(const PackagePlan& plan);

// Files at the top that look as if they were to be installed and are not, each with the reason.
std::string PassedOver(const PackagePlan& plan);

// One line for whoever submits: what is installed, how often, how it is turned off, and what is
// passed over. Empty where the program runs as the node is. Reads the file.
std::string EnvironmentNote(const PackagePlan& plan);

// Packages that a file in pip's format asks for, without counting those of files that it names.
int CountRequirements(const std::string& text);

}  // namespace baton::client
