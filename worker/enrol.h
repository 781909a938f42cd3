// How a worker comes into a cluster that speaks TLS: by a join token once, by its own certificate
// from then on.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/tls/key.h"

namespace baton::worker {

struct EnrolOptions {
  std::string scheduler;  // "host:port"
  std::string folder;     // the worker's, which only its owner may read; the files go into tls/
  std::string node_id;
  std::string join_token;  // empty: none
};

// What the worker shows from now on; nothing: the scheduler is on this machine and speaks no TLS. A
// certificate in the second half of its time is renewed. FAILED_PRECONDITION when there is neither
// a certificate nor a token where one is needed; UNAUTHENTICATED and PERMISSION_DENIED as the
// scheduler says; UNAVAILABLE when it did not answer for a minute.
absl::StatusOr<std::optional<tls::Identity>> Enrol(const EnrolOptions& options, const Clock& clock);

}  // namespace baton::worker
