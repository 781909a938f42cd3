// Messages from clients and workers as values of the core. Checks what a stranger controls.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "baton/v1/client.pb.h"
#include "baton/v1/worker.pb.h"
#include "scheduler/state/event.h"

namespace baton::edge {

// The whole request as an event: ids, digest, specs (equal ones of neighbours share one object).
// InvalidArgument with all mistakes (validate.h). Of the secrets' values only `secrets_mac` comes
// in.
absl::StatusOr<state::JobsSubmitted> SubmitFromWire(const v1::SubmitJobsRequest& request,
                                                    absl::string_view secrets_mac = "");

// What decisions read of a spec; without its name.
state::JobSpec JobSpecFromWire(const v1::JobSpec& wire, bool queue_anyway);

// Of a request's bytes without its id: 8 bytes of their SHA-256.
uint64_t RequestDigest(absl::string_view request);

// The spec that was submitted: what the core keeps of it, with the job's name put back.
// DataLoss when the kept bytes are damaged.
absl::StatusOr<v1::JobSpec> SpecToWire(const state::JobSpec& spec, const std::string& name);

state::Submitter SubmitterFromWire(const v1::Submitter& submitter);
state::TaskKey TaskFromWire(const v1::TaskId& task);
state::Notice NoticeFromWire(const v1::NoticeReport& notice);

// InvalidArgument: no such stage, or a text beyond its limit.
absl::StatusOr<state::TaskReported> ReportFromWire(const v1::TaskReport& report,
                                                   const state::NodeId& node,
                                                   const std::string& incarnation);

// InvalidArgument names the field that breaks a limit.
absl::StatusOr<state::NodeJoined> JoinFromWire(const v1::Hello& hello);

absl::StatusOr<state::CheckpointUploaded> CheckpointFromWire(const v1::CheckpointReport& report,
                                                             const state::NodeId& node);

}  // namespace baton::edge
