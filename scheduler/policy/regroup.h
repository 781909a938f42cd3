// Who of a gang goes on without those that it has lost. Members are known by their task numbers.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::policy {

struct Gang {
  std::vector<int32_t> members;  // of the present generation, rising
  std::set<int32_t> ended;       // of them: known to be dead
  std::vector<state::Accusation> accusations;
};

// Whether more reports could not change who goes on: nobody who lives is accused, or each member
// that lives and is accused by nobody has reported.
bool MayJudge(const Gang& gang);

// The members that can go on together, rising. Out are those that have ended, and those that are
// accused and have said nothing. Between the others an accusation cuts their connection, whichever
// of the two is right: the largest set of which each two are still connected goes on, of equal ones
// the one with the lowest numbers. Exact up to kExactMax members, above that the best of several
// that are picked greedily.
inline constexpr size_t kExactMax = 24;
std::vector<int32_t> WhoGoesOn(const Gang& gang);

// Those of `candidates` (rising by number) that form the next generation: the lowest, as many as
// the spec has use for, on whole nodes where it says how many ranks are on each. Empty: they are
// too few for it.
std::vector<int32_t> ChooseMembers(const state::JobSpec& spec,
                                   const std::vector<const state::Task*>& candidates);

}  // namespace baton::policy
