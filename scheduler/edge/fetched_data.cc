#include "scheduler/edge/fetched_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/store/edge_record.pb.h"
#include "scheduler/store/keys.h"

namespace baton::edge {
namespace {

std::string KeyOf(const state::JobId& job) { return store::kFetchedDataPrefix + job; }

}  // namespace

absl::StatusOr<std::unique_ptr<FetchedData>> FetchedData::Open(store::Store& store, uint64_t term) {
  std::unique_ptr<FetchedData> fetched(new FetchedData(store, term));
  BATON_RETURN_IF_ERROR(store.Scan(
      store::Table::kMeta, store::kFetchedDataPrefix,
      [&](absl::string_view key, absl::string_view value) -> absl::Status {
        store::v1::FetchedData record;
        const std::string job(key.substr(sizeof(store::kFetchedDataPrefix) - 1));
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
          return absl::DataLossError(absl::StrCat("the record of what job ", job,
                                                  " has fetched is damaged; restore the folder "
                                                  "from a backup"));
        }
        for (const auto& item : record.items()) {
          fetched->jobs_[job][item.name()] = {item.name(), item.sha256(), item.bytes()};
        }
        return absl::OkStatus();
      }));
  return fetched;
}

absl::Status FetchedData::Record(const state::JobId& job, const std::vector<FetchedItem>& items) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto known = jobs_.find(job);
  Items now = known == jobs_.end() ? Items() : known->second;
  const size_t before = now.size();
  for (const FetchedItem& item : items) {
    const auto [at, is_new] = now.try_emplace(item.name, item);
    if (is_new || at->second.sha256 == item.sha256) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("data whose checksum changed: ", item.name, " had the SHA-256 ",
                     at->second.sha256, " when this job fetched it first, and now has ",
                     item.sha256, "; submit the job anew to train on the new bytes"));
  }
  if (now.size() == before) return absl::OkStatus();
  store::v1::FetchedData record;
  for (const auto& [name, item] : now) {
    auto* to = record.add_items();
    to->set_name(name);
    to->set_sha256(item.sha256);
    to->set_bytes(item.bytes);
  }
  store::Batch batch;
  batch.puts.push_back(
      {.table = store::Table::kMeta, .key = KeyOf(job), .value = record.SerializeAsString()});
  BATON_RETURN_IF_ERROR(store_.Commit(term_, {std::move(batch)}));
  jobs_[job] = std::move(now);
  return absl::OkStatus();
}

std::vector<FetchedItem> FetchedData::Of(const state::JobId& job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<FetchedItem> items;
  const auto at = jobs_.find(job);
  if (at == jobs_.end()) return items;
  for (const auto& [name, item] : at->second) items.push_back(item);
  return items;
}

void FetchedData::Forget(const state::JobId& job) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (jobs_.erase(job) == 0) return;
  store::Batch batch;
  batch.removed.push_back({.table = store::Table::kMeta, .key = KeyOf(job)});
  const absl::Status removed = store_.Commit(term_, {std::move(batch)});
  if (!removed.ok()) LogWarning(absl::StrCat("what job ", job, " fetched: ", removed.message()));
}

std::vector<state::JobId> FetchedData::Jobs() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<state::JobId> jobs;
  for (const auto& [job, items] : jobs_) jobs.push_back(job);
  return jobs;
}

}  // namespace baton::edge
