#include "scheduler/edge/dataset_book.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "scheduler/store/edge_record.pb.h"
#include "scheduler/store/keys.h"

namespace baton::edge {
namespace {

constexpr size_t kNamesMax = 10'000;

std::string Encode(const DataSetEntry& entry) {
  store::v1::DataSet record;
  record.set_name(entry.name);
  record.set_digest(entry.digest);
  record.set_bytes(entry.bytes);
  record.set_files(entry.files);
  record.set_pushed_ms(entry.pushed_ms);
  record.set_owner(entry.owner);
  return record.SerializeAsString();
}

absl::Status NoSuch(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("no data set is called \"", name.substr(0, 64),
                                          "\"; `baton data ls` lists them"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataSetBook>> DataSetBook::Open(store::Store& store, uint64_t term) {
  std::unique_ptr<DataSetBook> book(new DataSetBook(store, term));
  BATON_RETURN_IF_ERROR(store.Scan(
      store::Table::kMeta, store::kDataSetPrefix,
      [&](absl::string_view key, absl::string_view value) -> absl::Status {
        store::v1::DataSet record;
        const absl::string_view name = key.substr(sizeof(store::kDataSetPrefix) - 1);
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
            record.name() != name) {
          return absl::DataLossError(absl::StrCat("the record of data set ", std::string(name),
                                                  " is damaged; restore the folder from a backup"));
        }
        book->entries_[record.name()] = {.name = record.name(),
                                         .digest = record.digest(),
                                         .bytes = record.bytes(),
                                         .files = record.files(),
                                         .pushed_ms = record.pushed_ms(),
                                         .owner = record.owner()};
        return absl::OkStatus();
      }));
  return book;
}

absl::Status DataSetBook::Put(const DataSetEntry& entry) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.size() >= kNamesMax && entries_.count(entry.name) == 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", kNamesMax, " data sets already; remove some (`baton data rm NAME`)"));
  }
  store::Batch batch;
  batch.puts.push_back({.table = store::Table::kMeta,
                        .key = store::kDataSetPrefix + entry.name,
                        .value = Encode(entry)});
  BATON_RETURN_IF_ERROR(store_.Commit(term_, {std::move(batch)}));
  entries_[entry.name] = entry;
  return absl::OkStatus();
}

absl::StatusOr<DataSetEntry> DataSetBook::Find(const std::string& name) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto at = entries_.find(name);
  if (at == entries_.end()) return NoSuch(name);
  return at->second;
}

absl::Status DataSetBook::Remove(const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.count(name) == 0) return NoSuch(name);
  store::Batch batch;
  batch.removed.push_back({.table = store::Table::kMeta, .key = store::kDataSetPrefix + name});
  BATON_RETURN_IF_ERROR(store_.Commit(term_, {std::move(batch)}));
  entries_.erase(name);
  return absl::OkStatus();
}

std::vector<DataSetEntry> DataSetBook::List() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<DataSetEntry> list;
  for (const auto& [name, entry] : entries_) list.push_back(entry);
  return list;
}

std::vector<std::string> DataSetBook::Manifests() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> manifests;
  for (const auto& [name, entry] : entries_) manifests.push_back(entry.digest);
  return manifests;
}

}  // namespace baton::edge
