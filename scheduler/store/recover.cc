#include "scheduler/store/recover.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/codec_sweep.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

absl::Status CheckSchema(absl::string_view version) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(version, &number)) {
    return absl::DataLossError(absl::StrCat("table meta, key schema: \"", absl::CHexEscape(version),
                                            "\" is no version number; restore the folder from a "
                                            "backup, or start with an empty one"));
  }
  if (number == kSchemaVersion) return absl::OkStatus();
  if (number > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the state was written by a newer baton-scheduler (schema ", number,
        "; this program knows ", kSchemaVersion, "): use that release or a later one"));
  }
  return absl::FailedPreconditionError(absl::StrCat("the state has schema ", number,
                                                    ", which no release has written; this program "
                                                    "needs ",
                                                    kSchemaVersion));
}

absl::Status IsEmpty(const Reader& reader) {
  for (const Table table : kTables) {
    BATON_RETURN_IF_ERROR(reader.Scan(table, "", [table](absl::string_view key, absl::string_view) {
      if (table == Table::kMeta && key == kTermKey) return absl::OkStatus();
      return absl::FailedPreconditionError(
          absl::StrCat("table ", TableName(table),
                       " has records, but the store has no schema "
                       "version: this is not the state of a baton-scheduler"));
    }));
  }
  return absl::OkStatus();
}

absl::Status LoadJob(absl::string_view key, absl::string_view value, Recovered& recovered) {
  BATON_ASSIGN_OR_RETURN(state::Job job, DecodeJob(value, recovered.shared));
  if (job.id != key) return absl::DataLossError("the record is another job's");
  if (job.spec == nullptr) return absl::DataLossError("the job has no spec");
  if (job.submitter == nullptr) return absl::DataLossError("the job has no submitter");
  auto& jobs = recovered.state.jobs;
  std::string id(key);
  jobs.insert_or_assign(jobs.end(), std::move(id), std::move(job));
  return absl::OkStatus();
}

absl::Status LoadNode(absl::string_view key, absl::string_view value, Recovered& recovered) {
  BATON_ASSIGN_OR_RETURN(state::Node node, DecodeNode(value));
  if (node.offer.id != key) return absl::DataLossError("the record is another node's");
  auto& nodes = recovered.state.nodes;
  nodes.insert_or_assign(nodes.end(), std::string(key), std::move(node));
  return absl::OkStatus();
}

absl::Status LoadSweep(absl::string_view id, absl::string_view value, Recovered& recovered) {
  BATON_ASSIGN_OR_RETURN(state::Sweep sweep, DecodeSweep(value, recovered.shared));
  if (sweep.id != id) return absl::DataLossError("the record is another sweep's");
  if (sweep.spec == nullptr) return absl::DataLossError("the sweep has no spec");
  recovered.state.sweeps.insert_or_assign(std::string(id), std::move(sweep));
  return absl::OkStatus();
}

// Keys are in order, so that its sweep is there and so are the trials before it.
absl::Status LoadTrial(absl::string_view rest, absl::string_view value, Recovered& recovered) {
  const std::string id(rest.substr(0, rest.find('/')));
  const auto sweep = recovered.state.sweeps.find(id);
  if (sweep == recovered.state.sweeps.end()) return absl::DataLossError("a trial without a sweep");
  BATON_ASSIGN_OR_RETURN(state::Trial trial, DecodeTrial(value));
  std::vector<state::Trial>& trials = sweep->second.trials;
  if (trial.index != static_cast<int32_t>(trials.size()) + 1) {
    return absl::DataLossError("a trial before it is missing");
  }
  trials.push_back(std::move(trial));
  return absl::OkStatus();
}

absl::Status LoadUnnamed(Table table, absl::string_view key, absl::string_view value,
                         Recovered& recovered) {
  switch (table) {
    case Table::kShared:
      return recovered.shared.Load(key, value);
    case Table::kJobs:
      return LoadJob(key, value, recovered);
    case Table::kNodes:
      return LoadNode(key, value, recovered);
    case Table::kMeta:
      if (key == kCountersKey) {
        BATON_ASSIGN_OR_RETURN(recovered.state.counters, DecodeCounters(value));
      } else if (absl::StartsWith(key, kDeletedPrefix)) {
        const std::string id(key.substr(sizeof(kDeletedPrefix) - 1));
        BATON_ASSIGN_OR_RETURN(recovered.state.deleted[id], DecodeDeletedJob(value));
      } else if (absl::StartsWith(key, kSweepPrefix)) {
        return LoadSweep(key.substr(sizeof(kSweepPrefix) - 1), value, recovered);
      } else if (absl::StartsWith(key, kTrialPrefix)) {
        return LoadTrial(key.substr(sizeof(kTrialPrefix) - 1), value, recovered);
      }
      return absl::OkStatus();
    case Table::kLog:
    case Table::kUndo:
    case Table::kNotes:
      break;
  }
  return absl::DataLossError("not a record of the state");
}

}  // namespace

absl::Status PrepareSchema(Store& store, uint64_t term) {
  const absl::StatusOr<std::string> version = store.Get(Table::kMeta, kSchemaKey);
  if (version.ok()) return CheckSchema(*version);
  if (!absl::IsNotFound(version.status())) return version.status();
  BATON_RETURN_IF_ERROR(IsEmpty(store));
  Batch batch;
  batch.puts.push_back({Table::kMeta, kSchemaKey, absl::StrCat(kSchemaVersion)});
  return store.Commit(term, {batch});
}

absl::Status LoadRecord(Table table, absl::string_view key, absl::string_view value,
                        Recovered& recovered) {
  absl::Status status = LoadUnnamed(table, key, value, recovered);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("table ", TableName(table), ", key ",
                                                  absl::CHexEscape(key), ": ", status.message()));
}

absl::StatusOr<Recovered> Recover(const Reader& reader, const state::Config& config) {
  Recovered recovered;
  recovered.state.config = config;
  BATON_ASSIGN_OR_RETURN(const std::string version, reader.Get(Table::kMeta, kSchemaKey));
  BATON_RETURN_IF_ERROR(CheckSchema(version));
  for (const Table table : {Table::kShared, Table::kMeta, Table::kNodes, Table::kJobs}) {
    const absl::Status status =
        reader.Scan(table, "", [&](absl::string_view key, absl::string_view value) {
          return LoadRecord(table, key, value, recovered);
        });
    if (status.ok()) continue;
    return absl::Status(
        status.code(),
        absl::StrCat("the stored state is damaged: ", status.message(),
                     "; restore the folder from a backup (tasks train on meanwhile)"));
  }
  return recovered;
}

}  // namespace baton::store
