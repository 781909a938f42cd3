// From the store to the state, for production and simulator alike.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/state/state.h"
#include "scheduler/store/shared_values.h"
#include "scheduler/store/store.h"

namespace baton::store {

// Of the records (record.proto and keys.h). A store of an older schema is migrated by the release
// that raises this number; one of a newer schema is refused.
inline constexpr uint64_t kSchemaVersion = 1;

struct Recovered {
  state::State state;
  SharedValues shared;
};

// Call it once after opening a store, before anything else, with the term from TakeTerm: writes the
// schema version into an empty store, checks it in any other. FailedPrecondition: the store was
// written by a newer program, or is not one of this kind.
absl::Status PrepareSchema(Store& store, uint64_t term);

// Loads everything. DataLoss names table and key of the first damaged record and says what to do.
absl::StatusOr<Recovered> Recover(const Reader& reader, const state::Config& config);

// Likewise without the version check, from records that come one by one (the snapshot at the head
// of an exported segment). Shared values must come before the jobs that refer to them.
absl::Status LoadRecord(Table table, absl::string_view key, absl::string_view value,
                        Recovered& recovered);

}  // namespace baton::store
