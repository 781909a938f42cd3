#include "scheduler/store/memory_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

using Records = std::map<std::string, std::string, std::less<>>;
using Tables = std::map<Table, Records>;

absl::StatusOr<std::string> GetFrom(const Tables& tables, Table table, absl::string_view key) {
  const auto records = tables.find(table);
  if (records != tables.end()) {
    const auto record = records->second.find(std::string(key));
    if (record != records->second.end()) return record->second;
  }
  return absl::NotFoundError(absl::StrCat("no such record in table ", TableName(table)));
}

absl::Status ScanFrom(const Tables& tables, Table table, absl::string_view prefix,
                      const Reader::Visitor& visit) {
  const auto records = tables.find(table);
  if (records == tables.end()) return absl::OkStatus();
  for (auto it = records->second.lower_bound(std::string(prefix)); it != records->second.end();
       ++it) {
    if (!absl::StartsWith(it->first, prefix)) break;
    absl::Status status = visit(it->first, it->second);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

class CopiedView : public Reader {
 public:
  explicit CopiedView(Tables tables) : tables_(std::move(tables)) {}
  absl::StatusOr<std::string> Get(Table table, absl::string_view key) const override {
    return GetFrom(tables_, table, key);
  }
  absl::Status Scan(Table table, absl::string_view prefix, const Visitor& visit) const override {
    return ScanFrom(tables_, table, prefix, visit);
  }

 private:
  const Tables tables_;
};

uint64_t TermOf(const Tables& tables) {
  const absl::StatusOr<std::string> stored = GetFrom(tables, Table::kMeta, kTermKey);
  uint64_t term = 0;
  if (stored.ok() && !absl::SimpleAtoi(*stored, &term)) return 0;
  return term;
}

}  // namespace

void MemoryStore::Apply(const Batch& batch) {
  for (const DeletePrefix& gone : batch.deletes) {
    Records& records = tables_[gone.table];
    auto end = records.lower_bound(gone.prefix);
    const auto begin = end;
    while (end != records.end() && absl::StartsWith(end->first, gone.prefix)) ++end;
    records.erase(begin, end);
  }
  for (const Delete& gone : batch.removed) tables_[gone.table].erase(gone.key);
  for (const Put& put : batch.puts) tables_[put.table].insert_or_assign(put.key, put.value);
}

absl::Status MemoryStore::Commit(uint64_t term, const std::vector<Batch>& batches) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!latched_.ok()) return latched_;
  if (term != TermOf(tables_)) {
    latched_ = absl::FailedPreconditionError(absl::StrCat(
        "another scheduler has taken over: the term is ", TermOf(tables_), ", not ", term));
    return latched_;
  }
  size_t applied = batches.size();
  if (!planned_.ok()) {
    latched_ = std::exchange(planned_, absl::OkStatus());
    if (planned_left_ == Left::kNothing) applied = 0;
  }
  for (size_t i = 0; i < applied; ++i) Apply(batches[i]);
  return latched_;
}

absl::StatusOr<std::string> MemoryStore::Get(Table table, absl::string_view key) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return GetFrom(tables_, table, key);
}

absl::Status MemoryStore::Scan(Table table, absl::string_view prefix, const Visitor& visit) const {
  // A copy, so that the visitor may read and the scan is of one moment.
  Tables copy;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto records = tables_.find(table);
    if (records != tables_.end()) copy.emplace(table, records->second);
  }
  return ScanFrom(copy, table, prefix, visit);
}

absl::StatusOr<uint64_t> MemoryStore::TakeTerm() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!latched_.ok()) return latched_;
  const uint64_t term = TermOf(tables_) + 1;
  tables_[Table::kMeta].insert_or_assign(kTermKey, absl::StrCat(term));
  return term;
}

std::unique_ptr<Reader> MemoryStore::OpenView() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::make_unique<CopiedView>(tables_);
}

absl::StatusOr<double> MemoryStore::FreeFraction() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return free_fraction_;
}

void MemoryStore::FailNextCommit(absl::Status error, Left left) {
  std::lock_guard<std::mutex> lock(mutex_);
  planned_ = std::move(error);
  planned_left_ = left;
}

void MemoryStore::SetFreeFraction(double fraction) {
  std::lock_guard<std::mutex> lock(mutex_);
  free_fraction_ = fraction;
}

void MemoryStore::Reopen() {
  std::lock_guard<std::mutex> lock(mutex_);
  latched_ = absl::OkStatus();
  planned_ = absl::OkStatus();
}

}  // namespace baton::store
