#include "scheduler/store/outcome.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/hash.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

uint64_t HashOf(absl::string_view bytes) { return Xxh3(bytes.data(), bytes.size()); }

}  // namespace

std::vector<Put> ChangedRecords(const state::State& state, const state::Outputs& outputs,
                                SharedValues& shared) {
  std::vector<Put> changed;
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
  if (outputs.counters_dirty) {
    changed.push_back({Table::kMeta, kCountersKey, EncodeCounters(state.counters)});
  }
  return changed;
}

Outcome OutcomeOf(const state::Outputs& outputs, const std::vector<Put>& changed,
                  SharedValues& shared) {
  Outcome outcome;
  outcome.decisions_digest = HashOf(EncodeDecisions(outputs, shared));
  std::string hashes;
  for (const Put& put : changed) {
    hashes += NumberKey(HashOf(absl::StrCat(TableName(put.table), "/", put.key, "/", put.value)));
  }
  outcome.records_digest = HashOf(hashes);
  outcome.notes = outputs.notes;
  return outcome;
}

}  // namespace baton::store
