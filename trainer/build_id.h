// Which build of the trainer this is.
#pragma once

#include <string>

namespace baton::trainer {

// The linker's build id of the loaded object (the program or a library) that `address` lies in, in
// hexadecimal; "unknown" when it was linked without one.
std::string BuildIdOf(const void* address);

}  // namespace baton::trainer
