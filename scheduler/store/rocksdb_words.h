// What RocksDB says, in words for the user: its errors and its log.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace rocksdb {
class Logger;
class Status;
}  // namespace rocksdb

namespace baton::store {

// `what` was tried with the database in `folder`. ResourceExhausted: the disk is full; DataLoss:
// files are damaged; FailedPrecondition: another process holds the folder; PermissionDenied.
absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what,
                         const std::string& folder);

// ResourceExhausted when the disk has too little room to open a database at all: RocksDB aborts the
// process when some of its files can't be written.
absl::Status CheckRoomToOpen(const std::string& folder);

// Its warnings go into our log. Its own log file would abort the process on a full disk.
std::shared_ptr<rocksdb::Logger> RocksdbLogger();

}  // namespace baton::store
