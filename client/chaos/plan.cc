#include "client/chaos/plan.h"

#include <array>

#include "common/check.h"
#include "common/random.h"

namespace baton::client::chaos {
namespace {

struct Kind {
  const char* name;
  int64_t for_ms_min;
  int64_t for_ms_max;
};
constexpr std::array<Kind, kFaultKinds> kKinds = {{
    {"kill-task", 0, 0},
    {"kill-worker", 200, 3000},
    {"kill-node", 200, 3000},
    {"kill-newest", 0, 0},
    {"kill-scheduler", 0, 500},
    {"freeze-task", 500, 6000},
    {"freeze-node", 500, 13000},
    {"cut-line", 100, 13000},
    {"notice", 3000, 8000},
    {"notice-too-late", 300, 1000},
    {"notice-withdrawn", 500, 3000},
    {"rebalance", 500, 3000},
}};

const Kind& Of(FaultKind kind) { return kKinds[static_cast<size_t>(kind)]; }

}  // namespace

std::string NameOf(FaultKind kind) { return Of(kind).name; }

std::vector<Fault> PlanFaults(uint64_t seed, int count) {
  BATON_CHECK(count >= 0, "a number of faults");
  Random random(seed);
  std::vector<Fault> faults(static_cast<size_t>(count));
  for (Fault& fault : faults) {
    fault.kind = static_cast<FaultKind>(random.Below(kFaultKinds));
    // One in six comes together with the one before it.
    fault.after_ms = random.Chance(1, 6) ? random.Between(0, 40) : random.Between(200, 2500);
    fault.pick = random.Next();
    fault.for_ms = random.Between(Of(fault.kind).for_ms_min, Of(fault.kind).for_ms_max);
  }
  return faults;
}

}  // namespace baton::client::chaos
