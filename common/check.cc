#include "common/check.h"

#include <cstdio>
#include <cstdlib>

namespace baton {

void CheckFailed(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what.c_str());
  std::abort();
}

}  // namespace baton
