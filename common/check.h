// Broken promises of our own code end the process with the place and the reason. Errors that a
// user, a file or a peer can cause are absl::Status instead (common/status.h).
#pragma once

#include <string>

namespace baton {

[[noreturn]] void CheckFailed(const char* file, int line, const std::string& what);

}  // namespace baton

#define BATON_CHECK(condition, message)                                                 \
  do {                                                                                  \
    if (!(condition))                                                                   \
      ::baton::CheckFailed(__FILE__, __LINE__, #condition ": " + std::string(message)); \
  } while (false)
