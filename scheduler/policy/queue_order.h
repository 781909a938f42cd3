// Who is next: priority class, then fair share by project (what it has used, decayed, plus what it
// runs now), then age. All in integers, since the order must be the same on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/state/job.h"
#include "scheduler/state/state.h"

namespace baton::policy {

// A power of two (about 70 minutes), so that the decay over any span is a product of stored
// factors and does not depend on how often it is applied.
constexpr int64_t kUsageHalfLifeMs = int64_t{1} << 22;

// A running job counts as if it went on for this long: without it, a project could fill an idle
// fleet in one pass before any usage is on its account.
constexpr int64_t kUsageForesightMs = 600'000;

// What `ranks` ranks claim, in thousandths of a core: of cores, memory (4 GiB is worth a core) and
// GPUs (each is worth 16 cores) the one that is worth most. Dominant Resource Fairness (Ghodsi et
// al., NSDI'11, section 4) with fixed rates of exchange instead of shares of a fleet that changes
// under it.
int64_t DominantDemand(const state::Resources& per_rank, int32_t ranks);

// `usage` after `elapsed_ms` >= 0.
int64_t Decay(int64_t usage, int64_t elapsed_ms);

// The account at `now_ms`, with `running` thousandths of a core in use since as_of_ms.
state::ProjectUsage Accrue(const state::ProjectUsage& account, int64_t running, int64_t now_ms);

// The place of a job in the queue; less is earlier.
struct QueueRank {
  int32_t priority = 0;
  int64_t usage = 0;
  uint64_t order = 0;
};
bool Before(const QueueRank& a, const QueueRank& b);

// What fair share compares: the account at `now_ms` and what runs.
int64_t FairShareUsage(const state::ProjectUsage& account, int64_t running, int64_t now_ms);

}  // namespace baton::policy
