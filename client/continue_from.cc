#include "client/continue_from.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace baton::client {

absl::StatusOr<std::string> CheckpointNamed(const v1::Job& job, const std::string& what) {
  if (job.checkpoints().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from: job ", job.name(), " (", job.id(), ") has no checkpoint"));
  }
  if (what.empty()) return job.checkpoints(job.checkpoints_size() - 1).name();
  std::vector<std::string> steps;
  for (const v1::Checkpoint& c : job.checkpoints()) {
    if (c.name() == what || (c.step() > 0 && absl::StrCat(c.step()) == what)) return c.name();
    steps.push_back(c.step() > 0 ? absl::StrCat(c.step()) : c.name());
  }
  return absl::InvalidArgumentError(absl::StrCat("--from: job ", job.name(), " (", job.id(),
                                                 ") has no checkpoint of step ", what,
                                                 "; there are ", absl::StrJoin(steps, ", ")));
}

absl::Status ContinueFrom(Api& api, const std::string& from, v1::JobSpec* spec) {
  const size_t at = from.rfind('@');
  const std::string step = at == std::string::npos ? "" : from.substr(at + 1);
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api.GetJob(from.substr(0, at)));
  BATON_ASSIGN_OR_RETURN(const std::string checkpoint, CheckpointNamed(job, step));
  spec->set_from_job(job.id());
  spec->set_from_checkpoint(checkpoint);
  return absl::OkStatus();
}

}  // namespace baton::client
