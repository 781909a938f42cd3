// Which build of the trainer this is.
#pragma once

#include <string>

namespace baton::trainer {

// The linker's build id of the running program, in hexadecimal; "unknown" when it was linked
// without one.
std::string BuildId();

}  // namespace baton::trainer
