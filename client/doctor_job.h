// `baton doctor --node`, `--job`: looks at a node, or at what a job would find, by a small job that
// is sent there.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/api.h"

namespace baton::client {

struct DoctorJob {
  std::string node;   // its name; empty: any that suits
  std::string spec;   // a spec or script whose environment is started; empty: the node's own
  bool json = false;  // what the trainer says there is to be JSON
};

struct DoctorAnswer {
  v1::Job job;  // as it ended
  std::string log;
};

// Its progress goes to stderr; a job that succeeded leaves nothing behind. Cancelled after `stop`,
// and the job with it. NotFound: no such node.
absl::StatusOr<DoctorAnswer> RunDoctorJob(Api& api, const DoctorJob& what,
                                          const std::atomic<bool>& stop);

}  // namespace baton::client
