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

absl::StatusOr<bool> SecretVault::Keep(const state::JobId& job, const Secrets& secrets) {
  store::v1::Secrets plain;
  for (const auto& [name, value] : secrets) {
    auto* item = plain.add_items();
    item->set_name(name);
    item->set_value(value);
  }
  store::v1::SealedSecrets record;
  BATON_ASSIGN_OR_RETURN(*record.mutable_sealed(), sealer_.Seal(plain.SerializeAsString(), job));
  std::lock_guard<std::mutex> lock(mutex_);
  const absl::Status known = store_.Get(store::Table::kMeta, KeyOf(job)).status();
  if (known.ok()) return false;
  if (!absl::IsNotFound(known)) return known;
  store::Batch batch;
  batch.puts.push_back(
      {.table = store::Table::kMeta, .key = KeyOf(job), .value = record.SerializeAsString()});
  BATON_RETURN_IF_ERROR(store_.Commit(term_, {std::move(batch)}));
  return true;
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

void SecretVault::Forget(const state::JobId& job) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!store_.Get(store::Table::kMeta, KeyOf(job)).ok()) return;
  store::Batch batch;
  batch.removed.push_back({.table = store::Table::kMeta, .key = KeyOf(job)});
  const absl::Status removed = store_.Commit(term_, {std::move(batch)});
  if (!removed.ok()) LogWarning(absl::StrCat("the secrets of job ", job, ": ", removed.message()));
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
