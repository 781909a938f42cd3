// Values of scheduler/state <-> bytes of record.proto. Equal values have equal bytes. Decoding
// never trusts its input: damage is DataLoss with what is wrong, never a crash.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/event.h"
#include "scheduler/state/job.h"
#include "scheduler/state/node.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"
#include "scheduler/store/shared_values.h"

namespace baton::store {

// Specs and submitters are written by digest (shared_values.h): encoding remembers new ones there,
// decoding wants them there.
std::string EncodeJob(const state::Job& job, SharedValues& shared);
absl::StatusOr<state::Job> DecodeJob(absl::string_view bytes, const SharedValues& shared);

std::string EncodeEvent(const state::Event& event, SharedValues& shared);
absl::StatusOr<state::Event> DecodeEvent(absl::string_view bytes, const SharedValues& shared);

std::string EncodeNode(const state::Node& node);
absl::StatusOr<state::Node> DecodeNode(absl::string_view bytes);

std::string EncodeCounters(const state::Counters& counters);
absl::StatusOr<state::Counters> DecodeCounters(absl::string_view bytes);

// What is left of a deleted job.
std::string EncodeDeletedJob(const state::DeletedJob& job);
absl::StatusOr<state::DeletedJob> DecodeDeletedJob(absl::string_view bytes);

std::string EncodeConfig(const state::Config& config);
absl::StatusOr<state::Config> DecodeConfig(absl::string_view bytes);

std::string EncodeNotes(const std::vector<state::Note>& notes);
absl::StatusOr<std::vector<state::Note>> DecodeNotes(absl::string_view bytes);

// The stored form of shared values.
std::string EncodeSpec(const state::JobSpec& spec);
absl::StatusOr<state::JobSpec> DecodeSpec(absl::string_view bytes);
std::string EncodeSubmitter(const state::Submitter& submitter);
absl::StatusOr<state::Submitter> DecodeSubmitter(absl::string_view bytes);

// Reply, job ids and effects, for comparison by digest.
std::string EncodeDecisions(const state::Outputs& outputs, SharedValues& shared);

}  // namespace baton::store
