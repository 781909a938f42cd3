// What was decided about a job, in words, oldest first: `baton why`.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/effect.h"
#include "scheduler/store/store.h"

namespace baton::store {

// Empty for a job without notes. DataLoss names the damaged record.
absl::StatusOr<std::vector<state::Note>> ReadNotes(const Reader& reader, absl::string_view job);

}  // namespace baton::store
