#include "scheduler/store/rocksdb_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "scheduler/store/acknowledged.h"
#include "scheduler/store/disk_space.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/reserve.h"
#include "scheduler/store/rocksdb_words.h"

namespace baton::store {
namespace {

using Families = std::map<Table, rocksdb::ColumnFamilyHandle*>;

rocksdb::Slice SliceOf(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// The first key behind all that have the prefix; empty: there is none.
std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) ++end.back();
  return end;
}

absl::Status MakeFolder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("making the folder ", folder));
}

// A million queued jobs must fit in 1 GiB, the database's own memory included.
rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.db_write_buffer_size = 32 << 20;
  options.max_total_wal_size = 64 << 20;
  options.max_open_files = 256;
  options.info_log = RocksdbLogger();
  // A record cut off by a crash was never acknowledged; damage anywhere else is an error, where the
  // default would drop all that follows in silence.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // Room that is taken ahead would be missing on a small or nearly full disk.
  options.allow_fallocate = false;
  // A full disk must not keep a restart from reading.
  options.avoid_flush_during_recovery = true;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 16 << 20;
  for (const auto supported : rocksdb::GetSupportedCompressions()) {
    if (supported == rocksdb::kLZ4Compression) options.compression = supported;
  }
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksdbReader {
 public:
  RocksdbReader(rocksdb::DB* db, const Families* families, const std::string* folder)
      : db_(db), families_(families), folder_(folder) {}

  absl::StatusOr<std::string> Get(const rocksdb::ReadOptions& options, Table table,
                                  absl::string_view key) const {
    std::string value;
    const rocksdb::Status status = db_->Get(options, families_->at(table), SliceOf(key), &value);
    if (status.IsNotFound()) {
      return absl::NotFoundError(absl::StrCat("no such record in table ", TableName(table)));
    }
    if (!status.ok()) return Error(status, table);
    return value;
  }

  absl::Status Scan(rocksdb::ReadOptions options, Table table, absl::string_view prefix,
                    const Reader::Visitor& visit) const {
    const std::string end = PrefixEnd(prefix);
    const rocksdb::Slice end_slice(end);
    if (!end.empty()) options.iterate_upper_bound = &end_slice;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, families_->at(table)));
    for (it->Seek(SliceOf(prefix)); it->Valid(); it->Next()) {
      BATON_RETURN_IF_ERROR(visit(ViewOf(it->key()), ViewOf(it->value())));
    }
    return it->status().ok() ? absl::OkStatus() : Error(it->status(), table);
  }

 private:
  absl::Status Error(const rocksdb::Status& status, Table table) const {
    return FromRocksdb(status, absl::StrCat("reading table ", TableName(table)), *folder_);
  }

  rocksdb::DB* const db_;
  const Families* const families_;
  const std::string* const folder_;
};

class RocksdbView : public Reader {
 public:
  RocksdbView(rocksdb::DB* db, const RocksdbReader& reader)
      : db_(db), reader_(reader), snapshot_(db->GetSnapshot()) {
    options_.snapshot = snapshot_;
  }
  ~RocksdbView() override { db_->ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::string> Get(Table table, absl::string_view key) const override {
    return reader_.Get(options_, table, key);
  }
  absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const override {
    return reader_.Scan(options_, table, prefix, visit);
  }

 private:
  rocksdb::DB* const db_;
  const RocksdbReader reader_;
  const rocksdb::Snapshot* const snapshot_;
  rocksdb::ReadOptions options_;
};

class RocksdbStore : public Store {
 public:
  RocksdbStore(std::string folder, const RocksdbStoreOptions& options)
      : folder_(std::move(folder)),
        reserve_(folder_ + "/reserve", options.reserve_bytes),
        acknowledged_(folder_ + "/acknowledged") {}

  ~RocksdbStore() override {
    if (db_ == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
    db_->Close();
  }

  absl::Status Open();
  absl::Status Commit(uint64_t term, const std::vector<Batch>& batches) override;
  absl::StatusOr<uint64_t> TakeTerm() override;

  absl::StatusOr<std::string> Get(Table table, absl::string_view key) const override {
    return reader_->Get({}, table, key);
  }
  absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const override {
    return reader_->Scan({}, table, prefix, visit);
  }
  std::unique_ptr<Reader> OpenView() const override {
    return std::make_unique<RocksdbView>(db_.get(), *reader_);
  }
  absl::StatusOr<double> FreeFraction() const override {
    BATON_ASSIGN_OR_RETURN(const DiskSpace space, DiskSpaceOf(folder_));
    return static_cast<double>(space.free_bytes) /
           static_cast<double>(std::max<int64_t>(space.total_bytes, 1));
  }

 private:
  absl::Status OpenFamilies(const std::string& folder);
  absl::Status CheckFamilies(const std::string& folder) const;
  absl::Status ListFamilies() const;
  absl::StatusOr<uint64_t> StoredTerm() const;
  absl::Status Write(rocksdb::WriteBatch& writes);

  const std::string folder_;
  Reserve reserve_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  Families families_;
  std::unique_ptr<RocksdbReader> reader_;
  std::mutex mutex_;      // of what follows
  uint64_t term_ = 0;     // as stored: the folder's lock keeps others away
  absl::Status latched_;  // the first failed write
  Acknowledged acknowledged_;
};

absl::Status RocksdbStore::Open() {
  BATON_RETURN_IF_ERROR(MakeFolder(folder_));
  BATON_RETURN_IF_ERROR(reserve_.Adjust());
  BATON_RETURN_IF_ERROR(CheckRoomToOpen(folder_));
  BATON_RETURN_IF_ERROR(MakeFolder(folder_ + "/records"));
  BATON_RETURN_IF_ERROR(OpenFamilies(folder_ + "/records"));
  BATON_RETURN_IF_ERROR(acknowledged_.Check(db_->GetLatestSequenceNumber()));
  reader_ = std::make_unique<RocksdbReader>(db_.get(), &families_, &folder_);
  BATON_ASSIGN_OR_RETURN(term_, StoredTerm());
  return absl::OkStatus();
}

absl::Status RocksdbStore::OpenFamilies(const std::string& folder) {
  BATON_RETURN_IF_ERROR(CheckFamilies(folder));
  const auto family_options = FamilyOptions(rocksdb::NewLRUCache(32 << 20));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, family_options);
  for (const Table table : kTables) {
    descriptors.emplace_back(std::string(TableName(table)), family_options);
  }
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(DatabaseOptions(), folder, descriptors, &handles_, &db);
  if (!opened.ok()) return FromRocksdb(opened, "opening the state", folder_);
  db_.reset(db);
  size_t handle = 1;  // behind the default family, which stays empty
  for (const Table table : kTables) families_[table] = handles_[handle++];
  return ListFamilies();
}

// A manifest whose end is damaged reads like one that was cut off by a crash: its last families are
// not there, and their records would be dropped in silence. So the families are also listed in a
// file of our own, written once they are made.
absl::Status RocksdbStore::CheckFamilies(const std::string& folder) const {
  std::vector<std::string> names;
  // Fails when there is no database yet, or a damaged one: opening it then says which.
  if (!rocksdb::DB::ListColumnFamilies({}, folder, &names).ok()) return absl::OkStatus();
  for (const std::string& name : names) {
    const bool known = name == rocksdb::kDefaultColumnFamilyName ||
                       std::any_of(std::begin(kTables), std::end(kTables),
                                   [&name](Table table) { return name == TableName(table); });
    if (known) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the state in ", folder_, " has a table \"", name,
                     "\" that this program does "
                     "not know: it was written by a newer baton-scheduler; use that release"));
  }
  const absl::StatusOr<std::string> listed = ReadFile(folder_ + "/tables");
  if (absl::IsNotFound(listed.status())) return absl::OkStatus();
  BATON_RETURN_IF_ERROR(listed.status());
  for (const absl::string_view name : absl::StrSplit(*listed, '\n', absl::SkipEmpty())) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    return absl::DataLossError(absl::StrCat(
        "table \"", absl::CHexEscape(name), "\", which ", folder_,
        "/tables lists, is missing from the state: its manifest, or that list, is damaged. Restore "
        "the folder from a backup"));
  }
  return absl::OkStatus();
}

absl::Status RocksdbStore::ListFamilies() const {
  std::string list;
  for (const Table table : kTables) absl::StrAppend(&list, TableName(table), "\n");
  const absl::StatusOr<std::string> listed = ReadFile(folder_ + "/tables");
  if (listed.ok() && *listed == list) return absl::OkStatus();
  return WriteFileAtomically(folder_ + "/tables", list);
}

absl::StatusOr<uint64_t> RocksdbStore::StoredTerm() const {
  const absl::StatusOr<std::string> stored = Get(Table::kMeta, kTermKey);
  if (absl::IsNotFound(stored.status())) return 0;
  BATON_RETURN_IF_ERROR(stored.status());
  uint64_t term = 0;
  if (!absl::SimpleAtoi(*stored, &term)) {
    return absl::DataLossError(absl::StrCat("table meta, key term in ", folder_,
                                            " is no number: restore the folder from a backup"));
  }
  return term;
}

absl::Status RocksdbStore::Write(rocksdb::WriteBatch& writes) {
  if (!latched_.ok()) return latched_;
  latched_ = reserve_.Adjust();
  if (!latched_.ok()) return latched_;
  rocksdb::WriteOptions options;
  options.sync = true;
  latched_ = FromRocksdb(db_->Write(options, &writes), "storing a change", folder_);
  if (latched_.ok()) latched_ = acknowledged_.Write(db_->GetLatestSequenceNumber());
  return latched_;
}

absl::Status RocksdbStore::Commit(uint64_t term, const std::vector<Batch>& batches) {
  rocksdb::WriteBatch writes;
  for (const Batch& batch : batches) {
    for (const DeletePrefix& gone : batch.deletes) {
      rocksdb::ColumnFamilyHandle* family = families_.at(gone.table);
      writes.DeleteRange(family, gone.prefix, PrefixEnd(gone.prefix));
    }
    for (const Delete& gone : batch.removed) writes.Delete(families_.at(gone.table), gone.key);
    for (const Put& put : batch.puts) writes.Put(families_.at(put.table), put.key, put.value);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (latched_.ok() && term != term_) {
    latched_ = absl::FailedPreconditionError(
        absl::StrCat("another scheduler has taken over: the term is ", term_, ", not ", term));
  }
  return Write(writes);
}

absl::StatusOr<uint64_t> RocksdbStore::TakeTerm() {
  std::lock_guard<std::mutex> lock(mutex_);
  rocksdb::WriteBatch writes;
  writes.Put(families_.at(Table::kMeta), kTermKey, absl::StrCat(term_ + 1));
  BATON_RETURN_IF_ERROR(Write(writes));
  return ++term_;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksdbStore(const std::string& folder,
                                                        const RocksdbStoreOptions& options) {
  auto store = std::make_unique<RocksdbStore>(folder, options);
  BATON_RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace baton::store
