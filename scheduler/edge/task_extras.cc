#include "scheduler/edge/task_extras.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/data_uri.h"
#include "common/job_limits.h"

namespace baton::edge {
namespace {

void AddSecrets(const Parts& parts, v1::WantedTask* task) {
  if (task->spec().secret_names().empty()) return;
  auto secrets = parts.secrets.Reveal(task->task().job_id());
  // A trial that the scheduler made itself has those of its sweep.
  if (absl::IsNotFound(secrets.status()) && task->spec().has_membership()) {
    secrets = parts.secrets.Reveal(task->spec().membership().sweep_id());
  }
  if (!secrets.ok()) {
    task->set_secrets_error(absl::IsNotFound(secrets.status())
                                ? "the scheduler does not have the job's secrets any more; submit "
                                  "the job anew"
                                : std::string(secrets.status().message()));
    return;
  }
  const std::set<std::string> wanted(task->spec().secret_names().begin(),
                                     task->spec().secret_names().end());
  for (const auto& [name, value] : *secrets) {
    if (wanted.count(name) == 0) continue;
    v1::EnvironmentVariable* variable = task->add_secrets();
    variable->set_name(name);
    variable->set_value(value);
  }
}

}  // namespace

void AddExtras(const Parts& parts, v1::WantedTask* task) {
  AddSecrets(parts, task);
  if (task->spec().data().empty()) return;
  for (const FetchedItem& item : parts.fetched.Of(task->task().job_id())) {
    v1::DataSet* data = task->add_fetched();
    data->set_name(item.name);
    data->set_sha256(item.sha256);
    data->set_bytes(item.bytes);
  }
}

void ShowFetched(const Parts& parts, v1::Job* job) {
  if (job->spec().data().empty()) return;
  const std::vector<FetchedItem> items = parts.fetched.Of(job->id());
  for (v1::DataSet& data : *job->mutable_spec()->mutable_data()) {
    for (const FetchedItem& item : items) {
      if (item.name != data.name()) continue;
      data.set_sha256(item.sha256);
      data.set_bytes(item.bytes);
    }
  }
}

absl::Status TakeFetched(const Parts& parts, const v1::TaskReport& report) {
  if (report.data().empty()) return absl::OkStatus();
  std::vector<FetchedItem> items;
  for (const v1::DataSet& data : report.data()) {
    if (!IsDataName(data.name()) || !artifact::IsDigest(data.sha256()) || data.bytes() < 0 ||
        items.size() >= limits::kDataSetsMax) {
      return absl::FailedPreconditionError("the worker says of its data what can't be meant");
    }
    items.push_back({data.name(), data.sha256(), data.bytes()});
  }
  return parts.fetched.Record(report.task().job_id(), items);
}

}  // namespace baton::edge
