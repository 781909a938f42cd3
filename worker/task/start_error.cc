#include "worker/task/start_error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace baton::worker {

std::string StartError(const std::string& program, bool is_native, const std::string& what,
                       int error) {
  if (what == "exec" && error == ENOENT && !is_native) {
    return absl::StrCat("the program '", program,
                        "' was not found, neither in the package nor on the PATH of the node (a "
                        "script also needs the interpreter that its first line names)");
  }
  return absl::StrCat("cannot start ", program, ": ", what, ": ", strerror(error));
}

}  // namespace baton::worker
