#include "worker/task/notice_to.h"

namespace baton::worker {
namespace {

bool Contains(const std::string& environment, const std::string& text) {
  return environment.find('\0' + text) != std::string::npos;
}

}  // namespace

bool IsForNotice(const std::string& environment) {
  const bool in_step = Contains(environment, "SLURM_STEP_ID=");
  const std::string to = std::string(kNoticeTo) + "=";
  if (Contains(environment, to + "batch" + '\0')) return !in_step;
  if (Contains(environment, to + "steps" + '\0')) return in_step;
  return true;
}

}  // namespace baton::worker
