#include "scheduler/sim/gangs.h"

#include <algorithm>

namespace baton::sim {

std::vector<state::TaskKey> Gangs::Arrive(const state::TaskKey& key, uint64_t generation,
                                          const std::vector<int32_t>& members, int64_t step) {
  Leave(key);
  Place& place = places_[key.token][generation];
  place.members = members;
  place.there[key.rank] = key;
  place.steps[key.rank] = step;
  if (place.there.size() < members.size()) return {};
  std::vector<state::TaskKey> all;
  for (const auto& [task, member] : place.there) all.push_back(member);
  return all;
}

int64_t Gangs::StepOf(state::Token token, uint64_t generation) const {
  int64_t step = -1;
  for (const auto& [task, has] : places_.at(token).at(generation).steps) step = std::max(step, has);
  return step;
}

std::vector<int32_t> Gangs::Missing(state::Token token, uint64_t generation) const {
  const auto gang = places_.find(token);
  if (gang == places_.end() || gang->second.count(generation) == 0) return {};
  const Place& place = gang->second.at(generation);
  std::vector<int32_t> missing;
  for (const int32_t member : place.members) {
    if (place.there.count(member) == 0) missing.push_back(member);
  }
  return missing;
}

void Gangs::Leave(const state::TaskKey& key) {
  const auto gang = places_.find(key.token);
  if (gang == places_.end()) return;
  for (auto it = gang->second.begin(); it != gang->second.end();) {
    it->second.there.erase(key.rank);
    it->second.steps.erase(key.rank);
    it = it->second.there.empty() ? gang->second.erase(it) : std::next(it);
  }
  if (gang->second.empty()) places_.erase(gang);
}

}  // namespace baton::sim
