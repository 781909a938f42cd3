// The journal on disk: a RocksDB of its own, in another folder than the store's, so that neither
// waits for the other's compactions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "scheduler/store/journal.h"

namespace baton::store {

struct RocksdbJournalOptions {
  // A stream that would grow beyond this ends with one line that says so; what comes later is
  // acknowledged and dropped.
  int64_t stream_bytes_max = 256 << 20;
};

// Thread-safe: appends to one stream come from one thread at a time.
absl::StatusOr<std::unique_ptr<Journal>> OpenRocksdbJournal(
    const std::string& folder, const RocksdbJournalOptions& options = {});

}  // namespace baton::store
