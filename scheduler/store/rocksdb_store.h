// The store on disk: RocksDB, one column family per table, every commit synced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "scheduler/store/store.h"

namespace baton::store {

struct RocksdbStoreOptions {
  // A file of this size lies beside the database; it is given up when the disk is nearly full, so
  // that cancels and ends still get through, and made anew when there is room. 0: none.
  int64_t reserve_bytes = 64 << 20;
};

// Opens or makes the store in `folder`. Errors in words for the user: FailedPrecondition (another
// process holds it), ResourceExhausted (no room), DataLoss (damaged files), PermissionDenied.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksdbStore(const std::string& folder,
                                                        const RocksdbStoreOptions& options = {});

}  // namespace baton::store
