// The proof that a native job's training is what its spec defines: the entries of its hash chain,
// as its metrics tell them, against those of another job that repeats the steps. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "baton/v1/job.pb.h"
#include "client/metrics.h"
#include "nlohmann/json.hpp"

namespace baton::client {

struct ChainEntry {
  std::string head;
  int attempt = 0;  // that told it
  bool operator==(const ChainEntry&) const = default;
};

// By step. Attempts that did a step again have an entry each.
using ChainEntries = std::map<int64_t, std::vector<ChainEntry>>;

ChainEntries ChainEntriesOf(const MetricLines& metrics);

// What a person asks for.
struct VerifyOptions {
  int64_t from = 0;             // entries of this step on
  std::optional<int64_t> to{};  // and up to this one; none: to the last
  int ranks = 0;                // of the replay; 0: another number than the job had
};

struct ReplayPlan {
  v1::JobSpec spec;       // of the job that repeats the steps
  ChainEntries expected;  // those in the range, at least one
  int ranks = 0;
  int ranks_before = 0;     // the most that the job had
  std::string begins_with;  // the job's checkpoint; empty: as the job itself began

  int64_t from() const { return expected.begin()->first; }
  int64_t to() const { return expected.rbegin()->first; }
};

// InvalidArgument or FailedPrecondition says why there is nothing to repeat, and what would be.
absl::StatusOr<ReplayPlan> PlanReplay(const v1::Job& job, const ChainEntries& entries,
                                      const VerifyOptions& options);

struct ChainVerdict {
  int same = 0;  // steps at which all entries of the job are the replay's
  struct Difference {
    int64_t step = 0;
    ChainEntry recorded;
    std::string replayed;
  };
  std::optional<Difference> first;  // difference
  int64_t missing = 0;              // first step for which the replay has no entry; 0: none
};

ChainVerdict CompareChains(const ChainEntries& expected, const ChainEntries& replayed);

// One sentence, and the same for programs.
std::string VerdictText(const v1::Job& job, const ReplayPlan& plan, const ChainVerdict& verdict);
nlohmann::ordered_json VerdictJson(const v1::Job& job, const std::string& replay,
                                   const ReplayPlan& plan, const ChainVerdict& verdict);

}  // namespace baton::client
