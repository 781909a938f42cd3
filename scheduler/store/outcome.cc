#include "scheduler/store/outcome.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/hash.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/codec_sweep.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

uint64_t HashOf(absl::string_view bytes) { return Xxh3(bytes.data(), bytes.size()); }

}  // namespace

Changes ChangedRecords(const state::State& state, const state::Outputs& outputs,
                       SharedValues& shared) {
  Changes changes;
  std::vector<Put>& changed = changes.puts;
  for (const state::JobId& id : outputs.dirty_jobs) {
    const auto job = state.jobs.find(id);
    BATON_CHECK(job != state.jobs.end(), "a changed job is gone: " + id);
    changed.push_back({Table::kJobs, id, EncodeJob(job->second, shared)});
  }
  for (const state::NodeId& id : outputs.dirty_nodes) {
    const auto node = state.nodes.find(id);
    BATON_CHECK(node != state.nodes.end(), "a changed node is gone: " + id);
    changed.push_back({Table::kNodes, id, EncodeNode(node->second)});
  }
  for (const state::SweepId& id : outputs.dirty_sweeps) {
    changed.push_back({Table::kMeta, kSweepPrefix + id, EncodeSweep(state.sweeps.at(id), shared)});
  }
  for (const auto& [id, index] : outputs.dirty_trials) {
    const state::Trial& trial = state.sweeps.at(id).trials.at(static_cast<size_t>(index - 1));
    changed.push_back({Table::kMeta, TrialKey(id, index), EncodeTrial(trial)});
  }
  if (outputs.counters_dirty) {
    changed.push_back({Table::kMeta, kCountersKey, EncodeCounters(state.counters)});
  }
  for (const std::shared_ptr<const state::Job>& job : outputs.deleted_jobs) {
    changed.push_back(
        {Table::kMeta, kDeletedPrefix + job->id, EncodeDeletedJob(state.deleted.at(job->id))});
    changes.removed.push_back({Table::kJobs, job->id});
  }
  for (const std::shared_ptr<const state::Sweep>& sweep : outputs.deleted_sweeps) {
    changed.push_back(
        {Table::kMeta, kDeletedPrefix + sweep->id, EncodeDeletedJob(state.deleted.at(sweep->id))});
    changes.removed.push_back({Table::kMeta, kSweepPrefix + sweep->id});
    for (const state::Trial& trial : sweep->trials) {
      changes.removed.push_back({Table::kMeta, TrialKey(sweep->id, trial.index)});
    }
  }
  for (const state::JobId& id : outputs.forgotten) {
    changes.removed.push_back({Table::kMeta, kDeletedPrefix + id});
  }
  return changes;
}

Outcome OutcomeOf(const state::Outputs& outputs, const Changes& changed, SharedValues& shared) {
  Outcome outcome;
  outcome.decisions_digest = HashOf(EncodeDecisions(outputs, shared));
  std::string hashes;
  for (const Put& put : changed.puts) {
    hashes += NumberKey(HashOf(absl::StrCat(TableName(put.table), "/", put.key, "/", put.value)));
  }
  for (const Delete& gone : changed.removed) {
    hashes += NumberKey(HashOf(absl::StrCat("no ", TableName(gone.table), "/", gone.key)));
  }
  outcome.records_digest = HashOf(hashes);
  outcome.notes = outputs.notes;
  return outcome;
}

}  // namespace baton::store
