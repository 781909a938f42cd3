#include "client/chaos/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace baton::client::chaos {
namespace {

TEST(PlanFaults, ASeedPlaysTheSameFaultsAgain) {
  const std::vector<Fault> a = PlanFaults(7, 50);
  const std::vector<Fault> b = PlanFaults(7, 50);
  const std::vector<Fault> other = PlanFaults(8, 50);
  ASSERT_EQ(a.size(), 50u);
  size_t alike = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].kind, b[i].kind);
    EXPECT_EQ(a[i].after_ms, b[i].after_ms);
    EXPECT_EQ(a[i].pick, b[i].pick);
    EXPECT_EQ(a[i].for_ms, b[i].for_ms);
    alike += a[i].pick == other[i].pick;
  }
  EXPECT_EQ(alike, 0u);
  // A longer day begins as the shorter one does.
  EXPECT_EQ(PlanFaults(7, 60)[49].pick, a[49].pick);
}

TEST(PlanFaults, AllKindsComeSomeTogetherAndNoneTakesForEver) {
  std::set<FaultKind> kinds;
  std::set<std::string> names;
  int together = 0;
  for (const Fault& fault : PlanFaults(1, 500)) {
    kinds.insert(fault.kind);
    names.insert(NameOf(fault.kind));
    together += fault.after_ms <= 40;
    EXPECT_GE(fault.after_ms, 0);
    EXPECT_LE(fault.after_ms, 2500);
    EXPECT_LE(fault.for_ms, 13'000);
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(kFaultKinds));
  EXPECT_EQ(names.size(), static_cast<size_t>(kFaultKinds));
  EXPECT_GT(together, 40);
  EXPECT_LT(together, 160);
}

}  // namespace
}  // namespace baton::client::chaos
