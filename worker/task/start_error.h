// A program that could not be started.
#pragma once

#include <string>

namespace baton::worker {

// Why, for its owner. `what` failed (exec, chdir, ..) with that errno.
std::string StartError(const std::string& program, bool is_native, const std::string& what,
                       int error);

}  // namespace baton::worker
