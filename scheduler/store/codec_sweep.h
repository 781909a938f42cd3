// Sweeps in the codec: their records, and the parts of events and effects that are theirs.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/sweep.h"
#include "scheduler/store/shared_values.h"

namespace baton::store {

// Without its trials, which are records of their own.
std::string EncodeSweep(const state::Sweep& sweep, SharedValues& shared);
absl::StatusOr<state::Sweep> DecodeSweep(absl::string_view bytes, const SharedValues& shared);

std::string EncodeTrial(const state::Trial& trial);
absl::StatusOr<state::Trial> DecodeTrial(absl::string_view bytes);

namespace v1 {

class SweepSubmitted;
class SweepStopped;
class TrialSuggested;
class TrialReported;
class SuggestTrial;
class ReadTrial;

void ToRecord(const state::SweepSubmitted& value, SharedValues& shared, SweepSubmitted* record);
absl::StatusOr<state::SweepSubmitted> FromRecord(const SweepSubmitted& record,
                                                 const SharedValues& shared);
void ToRecord(const state::SweepStopped& value, SweepStopped* record);
state::SweepStopped FromRecord(const SweepStopped& record);
void ToRecord(const state::TrialSuggested& value, SharedValues& shared, TrialSuggested* record);
absl::StatusOr<state::TrialSuggested> FromRecord(const TrialSuggested& record,
                                                 const SharedValues& shared);
void ToRecord(const state::TrialReported& value, TrialReported* record);
state::TrialReported FromRecord(const TrialReported& record);
void ToRecord(const state::SuggestTrial& value, SuggestTrial* record);
void ToRecord(const state::ReadTrial& value, ReadTrial* record);

}  // namespace v1
}  // namespace baton::store
