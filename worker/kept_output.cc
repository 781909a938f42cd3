#include "worker/kept_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "worker/link/spool_file.h"

namespace baton::worker {

std::string KeepOutput(const std::string& folder, const TaskKey& key, const std::string& output) {
  const std::string name = SpoolName(key, false);
  const std::string to = absl::StrCat(folder, "/", name.substr(0, name.rfind('.')));
  if (rename(output.c_str(), to.c_str()) == 0) return to;
  LogWarning(absl::StrCat("keeping ", output, " as ", to, ": ", strerror(errno)));
  return "";
}

}  // namespace baton::worker
