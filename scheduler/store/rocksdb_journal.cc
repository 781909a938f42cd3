#include "scheduler/store/rocksdb_journal.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "scheduler/store/disk_space.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/rocksdb_words.h"

namespace baton::store {
namespace {

// Key: job, '/', attempt, rank, kind (one byte), offset; numbers are big-endian.
constexpr size_t kKeyTailBytes = 4 + 4 + 1 + 8;
// Ends kept in memory; they are found in the database when they are not here.
constexpr size_t kEndsMax = 16 * 1024;
// Appends are refused below this share of free disk: the state matters more, and workers spool.
constexpr int64_t kFreeShareMin = 20;

std::string Number4(int32_t number) { return NumberKey(static_cast<uint32_t>(number)).substr(4); }

std::string JobPrefix(absl::string_view job) { return absl::StrCat(job, "/"); }

std::string StreamPrefix(const StreamKey& stream) {
  std::string prefix = JobPrefix(stream.job) + Number4(stream.attempt) + Number4(stream.rank);
  prefix.push_back(stream.metrics ? 1 : 0);
  return prefix;
}

std::string ChunkKey(const StreamKey& stream, int64_t offset) {
  return StreamPrefix(stream) + NumberKey(static_cast<uint64_t>(offset));
}

// Of a key with the job's prefix; false when it is none of ours.
bool ParseKey(absl::string_view job, const rocksdb::Slice& key, StreamKey* stream,
              int64_t* offset) {
  const size_t begin = job.size() + 1;
  if (key.size() != begin + kKeyTailBytes) return false;
  const absl::string_view tail(key.data() + begin, kKeyTailBytes);
  const uint64_t both = NumberOfKey(tail);
  stream->job = std::string(job);
  stream->attempt = static_cast<int32_t>(both >> 32);
  stream->rank = static_cast<int32_t>(both & 0xffffffff);
  stream->metrics = tail[8] != 0;
  *offset = static_cast<int64_t>(NumberOfKey(tail.substr(9)));
  return true;
}

// What a stream that grew too long ends with: a line of its kind.
std::string Marker(const StreamKey& stream, int64_t bytes_max) {
  if (stream.metrics) return "{\"truncated_at_bytes\":" + absl::StrCat(bytes_max) + "}\n";
  return absl::StrCat("[baton: this log has reached its limit of ", bytes_max,
                      " bytes; what came later was dropped]\n");
}

class RocksdbJournal : public Journal {
 public:
  RocksdbJournal(std::string folder, const RocksdbJournalOptions& options)
      : folder_(std::move(folder)), options_(options) {}
  ~RocksdbJournal() override {
    if (db_ != nullptr) db_->Close();
  }

  absl::Status Open();
  absl::StatusOr<int64_t> Append(const StreamKey& stream, int64_t offset,
                                 absl::string_view bytes) override;
  absl::Status Sync() override;
  absl::StatusOr<std::string> Read(const StreamKey& stream, int64_t offset,
                                   int64_t bytes_max) const override;
  absl::Status Remove(absl::string_view job) override;
  absl::StatusOr<std::vector<StreamEnd>> Streams(absl::string_view job) const override;

 private:
  absl::StatusOr<int64_t> StoredEnd(const StreamKey& stream) const;
  absl::Status CheckRoom() const;
  // Not OK while the database could not be opened again after a failure.
  absl::Status CheckOpen() const;
  absl::Status Write(const StreamKey& stream, int64_t offset, absl::string_view bytes);
  absl::Status Fill(const StreamKey& stream, int64_t end, absl::string_view bytes);

  const std::string folder_;
  const RocksdbJournalOptions options_;
  // Held shared while the database is used, alone while it is opened again.
  mutable std::shared_mutex open_mutex_;
  std::unique_ptr<rocksdb::DB> db_;
  std::mutex mutex_;                   // of what follows, and of appends
  std::map<StreamKey, int64_t> ends_;  // of some streams
  bool failed_ = false;                // the last write
};

absl::Status RocksdbJournal::Open() {
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", folder_));
  }
  BATON_RETURN_IF_ERROR(CheckRoomToOpen(folder_));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.max_background_jobs = 2;
  options.write_buffer_size = 16 << 20;
  options.max_open_files = 256;
  options.info_log = RocksdbLogger();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.avoid_flush_during_recovery = true;
  options.allow_fallocate = false;
  for (const auto supported : rocksdb::GetSupportedCompressions()) {
    if (supported == rocksdb::kZSTD) options.compression = supported;
  }
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(16 << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  const std::lock_guard<std::shared_mutex> lock(open_mutex_);
  db_.reset();
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, folder_, &db);
  db_.reset(db);
  return FromRocksdb(opened, "opening the logs and metrics", folder_);
}

absl::StatusOr<int64_t> RocksdbJournal::StoredEnd(const StreamKey& stream) const {
  const std::string prefix = StreamPrefix(stream);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  it->SeekForPrev(prefix + std::string(8, '\xff'));
  if (!it->status().ok()) return FromRocksdb(it->status(), "reading a log", folder_);
  StreamKey found;
  int64_t offset = 0;
  if (!it->Valid() || !it->key().starts_with(prefix) ||
      !ParseKey(stream.job, it->key(), &found, &offset)) {
    return 0;
  }
  return offset + static_cast<int64_t>(it->value().size());
}

absl::Status RocksdbJournal::CheckRoom() const {
  BATON_ASSIGN_OR_RETURN(const DiskSpace space, DiskSpaceOf(folder_));
  if (space.free_bytes >= space.total_bytes / kFreeShareMin) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the disk that holds ", folder_,
                                                   " is nearly full: workers keep their logs until "
                                                   "there is room"));
}

absl::Status RocksdbJournal::Write(const StreamKey& stream, int64_t offset,
                                   absl::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  const rocksdb::Status status =
      db_->Put({}, ChunkKey(stream, offset), rocksdb::Slice(bytes.data(), bytes.size()));
  failed_ = !status.ok();
  return FromRocksdb(status, "storing a log", folder_);
}

// The last piece of a stream that reaches its limit: whole lines as far as they fit, and the
// marker.
absl::Status RocksdbJournal::Fill(const StreamKey& stream, int64_t end, absl::string_view bytes) {
  const auto room = static_cast<size_t>(options_.stream_bytes_max - end);
  const size_t newline = bytes.substr(0, room).rfind('\n');
  const size_t whole = newline == absl::string_view::npos ? 0 : newline + 1;
  std::string last(bytes.substr(0, whole));
  // Padded to its limit, by which a full stream is known.
  const bool mid_line = whole == 0 && end > 0;
  const std::string marker = (mid_line ? "\n" : "") + Marker(stream, options_.stream_bytes_max);
  if (last.size() + marker.size() < room) last.append(room - last.size() - marker.size(), ' ');
  return Write(stream, end, last + marker);
}

absl::StatusOr<int64_t> RocksdbJournal::Append(const StreamKey& stream, int64_t offset,
                                               absl::string_view bytes) {
  if (stream.job.empty() || absl::StrContains(stream.job, "/") || offset < 0) {
    return absl::InvalidArgumentError("a log needs a job id and an offset of at least 0");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  // After a full disk the database refuses writes for good: only opening it again helps. What was
  // appended and not synced may be gone then, so all ends are read anew.
  if (failed_) {
    BATON_RETURN_IF_ERROR(CheckRoom());
    ends_.clear();
    BATON_RETURN_IF_ERROR(Open());
    failed_ = false;
  }
  const std::shared_lock<std::shared_mutex> open_lock(open_mutex_);
  auto known = ends_.find(stream);
  if (known == ends_.end()) {
    BATON_ASSIGN_OR_RETURN(const int64_t stored, StoredEnd(stream));
    if (ends_.size() >= kEndsMax) ends_.clear();
    known = ends_.emplace(stream, stored).first;
  }
  int64_t& end = known->second;
  const int64_t told_end = offset + static_cast<int64_t>(bytes.size());
  if (end >= options_.stream_bytes_max) return std::max(told_end, end);
  if (offset > end) {
    return absl::OutOfRangeError(absl::StrCat("the log ends at ", end, ", not at ", offset));
  }
  if (told_end <= end) return end;
  BATON_RETURN_IF_ERROR(CheckRoom());
  bytes.remove_prefix(static_cast<size_t>(end - offset));
  if (told_end <= options_.stream_bytes_max) {
    BATON_RETURN_IF_ERROR(Write(stream, end, bytes));
    end = told_end;
  } else {
    BATON_RETURN_IF_ERROR(Fill(stream, end, bytes));
    BATON_ASSIGN_OR_RETURN(end, StoredEnd(stream));
  }
  return std::max(told_end, end);
}

absl::Status RocksdbJournal::CheckOpen() const {
  if (db_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the logs in ", folder_, " are closed after a failure: try again"));
}

absl::Status RocksdbJournal::Sync() {
  const std::shared_lock<std::shared_mutex> open_lock(open_mutex_);
  BATON_RETURN_IF_ERROR(CheckOpen());
  return FromRocksdb(db_->SyncWAL(), "storing the logs", folder_);
}

absl::Status RocksdbJournal::Remove(absl::string_view job) {
  const std::string prefix = JobPrefix(job);
  // '0' follows '/', with which the prefix ends.
  const std::string end = absl::StrCat(job, "0");
  const std::shared_lock<std::shared_mutex> open_lock(open_mutex_);
  BATON_RETURN_IF_ERROR(CheckOpen());
  {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    it->Seek(prefix);
    if (!it->status().ok()) return FromRocksdb(it->status(), "deleting logs", folder_);
    if (!it->Valid() || !it->key().starts_with(prefix)) return absl::OkStatus();
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  BATON_RETURN_IF_ERROR(FromRocksdb(
      db_->DeleteRange(synced, db_->DefaultColumnFamily(), prefix, end), "deleting logs", folder_));
  // So that the bytes leave the disk now, and not when so much else has come.
  const rocksdb::Slice from(prefix);
  const rocksdb::Slice to(end);
  return FromRocksdb(db_->CompactRange({}, &from, &to), "deleting logs", folder_);
}

absl::StatusOr<std::string> RocksdbJournal::Read(const StreamKey& stream, int64_t offset,
                                                 int64_t bytes_max) const {
  const std::shared_lock<std::shared_mutex> open_lock(open_mutex_);
  BATON_RETURN_IF_ERROR(CheckOpen());
  const std::string prefix = StreamPrefix(stream);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  // The chunk that holds the offset begins at it or before it.
  it->SeekForPrev(ChunkKey(stream, std::max<int64_t>(offset, 0)));
  if (!it->Valid() || !it->key().starts_with(prefix)) it->Seek(prefix);
  std::string read;
  StreamKey found;
  int64_t begin = 0;
  bool any = false;
  for (; it->Valid() && it->key().starts_with(prefix) &&
         static_cast<int64_t>(read.size()) < bytes_max;
       it->Next()) {
    if (!ParseKey(stream.job, it->key(), &found, &begin)) break;
    any = true;
    const int64_t skip = std::max<int64_t>(offset - begin, 0);
    if (skip >= static_cast<int64_t>(it->value().size())) continue;
    const auto left = static_cast<size_t>(bytes_max) - read.size();
    const size_t size = std::min(left, it->value().size() - static_cast<size_t>(skip));
    read.append(it->value().data() + skip, size);
  }
  if (!it->status().ok()) return FromRocksdb(it->status(), "reading a log", folder_);
  if (!any) return absl::NotFoundError("there is no such log");
  return read;
}

absl::StatusOr<std::vector<Journal::StreamEnd>> RocksdbJournal::Streams(
    absl::string_view job) const {
  const std::shared_lock<std::shared_mutex> open_lock(open_mutex_);
  BATON_RETURN_IF_ERROR(CheckOpen());
  std::vector<StreamEnd> streams;
  const std::string prefix = JobPrefix(job);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  it->Seek(prefix);
  while (it->Valid() && it->key().starts_with(prefix)) {
    StreamEnd stream;
    if (!ParseKey(job, it->key(), &stream.stream, &stream.end)) break;
    BATON_ASSIGN_OR_RETURN(stream.end, StoredEnd(stream.stream));
    streams.push_back(stream);
    it->Seek(StreamPrefix(stream.stream) + std::string(8, '\xff'));
  }
  if (!it->status().ok()) return FromRocksdb(it->status(), "listing logs", folder_);
  return streams;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> OpenRocksdbJournal(const std::string& folder,
                                                            const RocksdbJournalOptions& options) {
  auto journal = std::make_unique<RocksdbJournal>(folder, options);
  BATON_RETURN_IF_ERROR(journal->Open());
  return journal;
}

}  // namespace baton::store
