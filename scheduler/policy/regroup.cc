#include "scheduler/policy/regroup.h"

#include <algorithm>
#include <bit>
#include <map>

#include "scheduler/policy/clique.h"
#include "scheduler/policy/placement.h"

namespace baton::policy {
namespace {

using Set = uint32_t;  // of up to 32 members, by place

// The largest set of `candidates` that are connected with each other and with all in `chosen`.
// Lower places are tried first, so that of equal sets the lowest is found first and stays.
void Expand(const std::vector<Set>& connected, Set chosen, Set candidates, Set* best) {
  while (std::popcount(chosen) + std::popcount(candidates) > std::popcount(*best)) {
    if (candidates == 0) {
      *best = chosen;
      return;
    }
    const int first = std::countr_zero(candidates);
    const Set others = candidates & (candidates - 1);
    const Set left = others & connected[static_cast<size_t>(first)];
    Expand(connected, chosen | Set{1} << first, left, best);
    // One that is connected with all the others is in the best set in any case.
    if (left == others) return;
    candidates = others;
  }
}

std::vector<int32_t> LargestExact(const std::vector<int32_t>& members,
                                  const std::set<std::pair<int32_t, int32_t>>& cut) {
  std::vector<Set> connected(members.size(), 0);
  for (size_t i = 0; i < members.size(); ++i) {
    for (size_t j = 0; j < members.size(); ++j) {
      if (i != j && cut.count({members[i], members[j]}) == 0) connected[i] |= Set{1} << j;
    }
  }
  Set best = 0;
  Expand(connected, 0, static_cast<Set>((uint64_t{1} << members.size()) - 1), &best);
  std::vector<int32_t> largest;
  for (size_t i = 0; i < members.size(); ++i) {
    if ((best >> i & 1) != 0) largest.push_back(members[i]);
  }
  return largest;
}

std::vector<int32_t> LargestGreedy(const std::vector<int32_t>& members,
                                   const std::set<std::pair<int32_t, int32_t>>& cut) {
  std::vector<int32_t> largest;
  std::set<int32_t> covered;  // beginning with one of these would give the same again
  int tried = 0;
  for (const int32_t seed : members) {
    if (covered.count(seed) != 0) continue;
    if (++tried > kSeedsMax) break;
    std::vector<int32_t> set = {seed};
    for (const int32_t member : members) {
      const bool fits = member != seed && std::none_of(set.begin(), set.end(), [&](int32_t in) {
                          return cut.count({in, member}) != 0;
                        });
      if (fits) set.push_back(member);
    }
    covered.insert(set.begin(), set.end());
    if (set.size() > largest.size()) largest = std::move(set);
  }
  std::sort(largest.begin(), largest.end());
  return largest;
}

}  // namespace

bool MayJudge(const Gang& gang) {
  std::set<int32_t> accused;
  std::set<int32_t> reported;
  for (const state::Accusation& a : gang.accusations) {
    if (gang.ended.count(a.of) == 0) accused.insert(a.of);
    reported.insert(a.by);
  }
  if (accused.empty()) return true;
  return std::all_of(gang.members.begin(), gang.members.end(), [&](int32_t member) {
    return gang.ended.count(member) != 0 || accused.count(member) != 0 ||
           reported.count(member) != 0;
  });
}

std::vector<int32_t> WhoGoesOn(const Gang& gang) {
  std::set<int32_t> accused;
  std::set<int32_t> reported;
  std::set<std::pair<int32_t, int32_t>> cut;
  for (const state::Accusation& a : gang.accusations) {
    accused.insert(a.of);
    reported.insert(a.by);
    cut.insert({a.by, a.of});
    cut.insert({a.of, a.by});
  }
  std::vector<int32_t> left;
  for (const int32_t member : gang.members) {
    const bool silent = accused.count(member) != 0 && reported.count(member) == 0;
    if (!silent && gang.ended.count(member) == 0) left.push_back(member);
  }
  return left.size() <= kExactMax ? LargestExact(left, cut) : LargestGreedy(left, cut);
}

std::vector<int32_t> ChooseMembers(const state::JobSpec& spec,
                                   const std::vector<const state::Task*>& candidates) {
  std::vector<int32_t> usable;
  std::map<state::NodeId, int32_t> here;
  for (const state::Task* task : candidates) ++here[task->node];
  for (const state::Task* task : candidates) {
    if (spec.ranks_per_node == 0 || here[task->node] == spec.ranks_per_node) {
      usable.push_back(task->rank);
    }
  }
  const auto size =
      static_cast<size_t>(ChooseWorldSize(RangeOf(spec), static_cast<int32_t>(usable.size())));
  if (spec.ranks_per_node == 0 || size == usable.size()) {
    usable.resize(size);
    return usable;
  }
  // Whole nodes, by the lowest number on each.
  std::set<state::NodeId> nodes;
  std::vector<int32_t> chosen;
  for (const state::Task* task : candidates) {
    if (here[task->node] != spec.ranks_per_node) continue;
    if (nodes.size() * static_cast<size_t>(spec.ranks_per_node) < size) nodes.insert(task->node);
    if (nodes.count(task->node) != 0) chosen.push_back(task->rank);
  }
  return chosen;
}

}  // namespace baton::policy
