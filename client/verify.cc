#include "client/verify.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/contract.h"
#include "common/metrics_line.h"
#include "common/status.h"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNameBytesMax = 128;
constexpr size_t kHeadShown = 16;

int MostRanks(const v1::Job& job) {
  int most = std::max(job.world_size(), 1);
  for (const v1::Attempt& attempt : job.attempts()) most = std::max(most, attempt.world_size());
  return most;
}

absl::StatusOr<int> RanksOfReplay(const v1::Job& job, int wanted) {
  const int shards = std::max(job.spec().shards(), 1);
  if (wanted > shards) {
    return absl::InvalidArgumentError(absl::StrCat("--ranks ", wanted, ": job ", job.name(),
                                                   " has ", shards,
                                                   " shards, and each rank needs one"));
  }
  if (wanted > 0) return wanted;
  return MostRanks(job) > 1 ? 1 : std::min(2, shards);
}

absl::StatusOr<ChainEntries> EntriesInRange(const v1::Job& job, const ChainEntries& entries,
                                            const VerifyOptions& options) {
  if (entries.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.name(), " (", job.id(),
                     ") has no entry of a hash chain yet: the first comes after 100 steps, or at "
                     "the end of a shorter training"));
  }
  const int64_t first = entries.begin()->first;
  const int64_t last = entries.rbegin()->first;
  if (options.to && *options.to > last) {
    return absl::InvalidArgumentError(absl::StrCat("--to ", *options.to, ": the hash chain of job ",
                                                   job.name(), " reaches step ", last));
  }
  ChainEntries found(entries.lower_bound(options.from),
                     entries.upper_bound(options.to.value_or(last)));
  if (options.from > options.to.value_or(last) || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "steps ", options.from, " to ", options.to.value_or(last), ": job ", job.name(),
        " has no entry of its hash chain there; it has ", entries.size(), " from step ", first,
        " to ", last, ", one each 100 steps and one at the end"));
  }
  return found;
}

// The newest before `from`, so that the replay makes each entry of the range itself.
const v1::Checkpoint* CheckpointBefore(const v1::Job& job, int64_t from) {
  const v1::Checkpoint* best = nullptr;
  for (const v1::Checkpoint& checkpoint : job.checkpoints()) {
    // Attempt 0's is that of another job, with which this one began.
    if (checkpoint.attempt() == 0 || checkpoint.step() >= from) continue;
    if (best == nullptr || checkpoint.step() > best->step()) best = &checkpoint;
  }
  return best;
}

void SetReplayTo(int64_t step, v1::JobSpec* spec) {
  auto& variables = *spec->mutable_environment();
  for (int i = variables.size() - 1; i >= 0; --i) {
    if (variables[i].name() == contract::kReplayTo) variables.DeleteSubrange(i, 1);
  }
  v1::EnvironmentVariable* to = variables.Add();
  to->set_name(contract::kReplayTo);
  to->set_value(absl::StrCat(step));
}

v1::JobSpec SpecOfReplay(const v1::Job& job, const ReplayPlan& plan) {
  v1::JobSpec spec = job.spec();
  spec.set_name(absl::StrCat("verify-", job.name()).substr(0, kNameBytesMax));
  spec.mutable_ranks()->set_min(plan.ranks);
  spec.mutable_ranks()->set_max(plan.ranks);
  spec.set_ranks_per_node(0);
  spec.set_time_limit_ms(0);  // that of the job's own ranks
  spec.clear_membership();    // a trial's parameters are in its environment
  spec.clear_secret_names();  // for the program, not for the arithmetic
  spec.mutable_checkpoint()->set_keep(1);
  if (!plan.begins_with.empty()) {
    spec.set_from_job(job.id());
    spec.set_from_checkpoint(plan.begins_with);
  }
  SetReplayTo(plan.to(), &spec);
  return spec;
}

std::string Ranks(int count) { return absl::StrCat(count, count == 1 ? " rank" : " ranks"); }

}  // namespace

ChainEntries ChainEntriesOf(const MetricLines& metrics) {
  ChainEntries entries;
  for (const Json& line : metrics.Lines()) {
    // The last line of a run repeats the head, under the step that it ended with.
    if (!line.contains("chain") || !line["chain"].is_string() || line.contains("event")) continue;
    const auto step = StepOfNumber(line["step"].get<double>());
    if (!step) continue;
    entries[*step].push_back({line["chain"].get<std::string>(), line["attempt"].get<int>()});
  }
  return entries;
}

absl::StatusOr<ReplayPlan> PlanReplay(const v1::Job& job, const ChainEntries& entries,
                                      const VerifyOptions& options) {
  if (!job.spec().command().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.name(), " (", job.id(),
                     ") runs a command, and only native training (a spec with a `model:`) has a "
                     "hash chain"));
  }
  ReplayPlan plan;
  plan.ranks_before = MostRanks(job);
  BATON_ASSIGN_OR_RETURN(plan.ranks, RanksOfReplay(job, options.ranks));
  BATON_ASSIGN_OR_RETURN(plan.expected, EntriesInRange(job, entries, options));
  const v1::Checkpoint* checkpoint = CheckpointBefore(job, options.from);
  if (checkpoint != nullptr) plan.begins_with = checkpoint->name();
  plan.spec = SpecOfReplay(job, plan);
  return plan;
}

ChainVerdict CompareChains(const ChainEntries& expected, const ChainEntries& replayed) {
  ChainVerdict verdict;
  for (const auto& [step, recorded] : expected) {
    const auto found = replayed.find(step);
    if (found == replayed.end()) {
      if (verdict.missing == 0) verdict.missing = step;
      continue;
    }
    // Whatever the replay's own attempts say, all have to be the same.
    std::optional<ChainVerdict::Difference> difference;
    for (const ChainEntry& mine : recorded) {
      for (const ChainEntry& theirs : found->second) {
        if (mine.head != theirs.head && !difference) difference = {step, mine, theirs.head};
      }
    }
    if (!difference) {
      ++verdict.same;
    } else if (!verdict.first) {
      verdict.first = difference;
    }
  }
  return verdict;
}

std::string VerdictText(const v1::Job& job, const ReplayPlan& plan, const ChainVerdict& verdict) {
  std::string text = absl::StrCat(
      "steps ", plan.from(), " to ", plan.to(), ": ", verdict.same, " of ", plan.expected.size(),
      plan.expected.size() == 1 ? " entry" : " entries", " of the hash chain ",
      verdict.same == 1 ? "is" : "are", " the same (", job.name(), " on up to ",
      Ranks(plan.ranks_before), ", repeated on ", Ranks(plan.ranks), " from ",
      plan.begins_with.empty() ? "the beginning" : absl::StrCat("checkpoint ", plan.begins_with),
      ")");
  if (verdict.first) {
    absl::StrAppend(&text, "\nthe first that differs is of step ", verdict.first->step,
                    ": attempt ", verdict.first->recorded.attempt, " of ", job.name(), " has ",
                    verdict.first->recorded.head.substr(0, kHeadShown), "..., the replay ",
                    verdict.first->replayed.substr(0, kHeadShown), "...");
  }
  return text;
}

Json VerdictJson(const v1::Job& job, const std::string& replay, const ReplayPlan& plan,
                 const ChainVerdict& verdict) {
  Json json;
  json["job"] = job.id();
  json["replay"] = replay;
  json["from"] = plan.from();
  json["to"] = plan.to();
  json["entries"] = plan.expected.size();
  json["same"] = verdict.same;
  json["ranks"] = plan.ranks;
  json["ranks_of_job"] = plan.ranks_before;
  json["began_with"] = plan.begins_with.empty() ? Json() : Json(plan.begins_with);
  json["first_difference"] = nullptr;
  if (verdict.first) {
    json["first_difference"] = {{"step", verdict.first->step},
                                {"attempt", verdict.first->recorded.attempt},
                                {"recorded", verdict.first->recorded.head},
                                {"replayed", verdict.first->replayed}};
  }
  return json;
}

}  // namespace baton::client
