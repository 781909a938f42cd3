#include "scheduler/edge/secret_vault.h"

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/store/edge_record.pb.h"
#include "scheduler/store/keys.h"

namespace baton::edge {
namespace {

std::string KeyOf(const state::JobId& job) { return store::kSecretsPrefix + job; }

absl::Status Closed(const state::JobId& job) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the secrets of job ", job,
      " do not open: the scheduler's key file (--secrets-key) is another one than when the job was "
      "submitted; restore it and start the scheduler again, or submit the job anew"));
}

}  // namespace

absl::Status SecretVault::Store(const ByJob& secrets, std::vector<state::JobId>* fresh) {
  store::Batch batch;
  for (const auto& [job, items] : secrets) {
    const absl::Status known = store_.Get(store::Table::kMeta, KeyOf(job)).status();
    if (known.ok()) continue;
    if (!absl::IsNotFound(known)) return known;
    store::v1::Secrets plain;
    for (const auto& [name, value] : items) {
      auto* item = plain.add_items();
      item->set_name(name);
      item->set_value(value);
    }
    store::v1::SealedSecrets record;
    BATON_ASSIGN_OR_RETURN(*record.mutable_sealed(), sealer_.Seal(plain.SerializeAsString(), job));
    batch.puts.push_back(
        {.table = store::Table::kMeta, .key = KeyOf(job), .value = record.SerializeAsString()});
    fresh->push_back(job);
  }
  return batch.IsEmpty() ? absl::OkStatus() : store_.Commit(term_, {std::move(batch)});
}

absl::Status SecretVault::Keep(const ByJob& secrets) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<state::JobId> fresh;
  BATON_RETURN_IF_ERROR(Store(secrets, &fresh));
  for (const auto& [job, items] : secrets) ++claims_[job].holders;
  for (const state::JobId& job : fresh) claims_[job].is_new = true;
  return absl::OkStatus();
}

void SecretVault::Settle(const std::vector<state::JobId>& jobs,
                         const std::set<state::JobId>& there) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<state::JobId> unused;
  for (const state::JobId& job : jobs) {
    const auto claim = claims_.find(job);
    if (claim == claims_.end()) continue;
    if (there.count(job) != 0) claim->second.used = true;
    if (--claim->second.holders > 0) continue;
    if (claim->second.is_new && !claim->second.used) unused.push_back(job);
    claims_.erase(claim);
  }
  Remove(unused);
}

absl::StatusOr<Secrets> SecretVault::Reveal(const state::JobId& job) const {
  BATON_ASSIGN_OR_RETURN(const std::string stored, store_.Get(store::Table::kMeta, KeyOf(job)));
  store::v1::SealedSecrets record;
  if (!record.ParseFromString(stored)) return Closed(job);
  const absl::StatusOr<std::string> opened = sealer_.Unseal(record.sealed(), job);
  store::v1::Secrets plain;
  if (!opened.ok() || !plain.ParseFromString(*opened)) return Closed(job);
  Secrets secrets;
  for (const auto& item : plain.items()) secrets.emplace_back(item.name(), item.value());
  return secrets;
}

void SecretVault::ForgetAll(const std::vector<state::JobId>& jobs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Remove(jobs);
}

void SecretVault::Remove(const std::vector<state::JobId>& jobs) {
  store::Batch batch;
  for (const state::JobId& job : jobs) {
    if (!store_.Get(store::Table::kMeta, KeyOf(job)).ok()) continue;
    batch.removed.push_back({.table = store::Table::kMeta, .key = KeyOf(job)});
  }
  if (batch.IsEmpty()) return;
  const absl::Status removed = store_.Commit(term_, {std::move(batch)});
  if (removed.ok()) return;
  LogWarning(absl::StrCat("the secrets of ", jobs.size(), " jobs (", jobs.front(),
                          ", ..) stay until the next start: ", removed.message()));
}

absl::StatusOr<std::vector<state::JobId>> SecretVault::Jobs() const {
  std::vector<state::JobId> jobs;
  BATON_RETURN_IF_ERROR(store_.Scan(store::Table::kMeta, store::kSecretsPrefix,
                                    [&jobs](absl::string_view key, absl::string_view) {
                                      jobs.emplace_back(
                                          key.substr(sizeof(store::kSecretsPrefix) - 1));
                                      return absl::OkStatus();
                                    }));
  return jobs;
}

}  // namespace baton::edge
