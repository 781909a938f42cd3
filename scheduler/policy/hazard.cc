#include "scheduler/policy/hazard.h"

#include <algorithm>

namespace baton::policy {
namespace {

// Hazards in losses per so many milliseconds.
constexpr int64_t kHazardUnitMs = 1'000'000'000'000'000;

size_t AgeClass(int64_t age_ms) {
  size_t place = 0;
  while (place + 1 < kAgeClasses && age_ms >= kAgesMs[place]) ++place;
  return place;
}

state::Losses At(const std::vector<state::Losses>& seen, size_t place) {
  return place < seen.size() ? seen[place] : state::Losses{};
}

}  // namespace

size_t HazardClass(bool spot, int64_t age_ms) {
  return (spot ? 0 : kAgeClasses) + AgeClass(age_ms);
}

void CountLife(bool spot, int64_t age_ms, bool lost, std::vector<state::Losses>* seen) {
  seen->resize(2 * kAgeClasses);
  int64_t from_ms = 0;
  for (size_t place = 0; place < kAgeClasses && from_ms < age_ms; ++place) {
    const int64_t to_ms =
        place + 1 < kAgeClasses ? std::min<int64_t>(kAgesMs[place], age_ms) : age_ms;
    (*seen)[HazardClass(spot, from_ms)].up_ms += to_ms - from_ms;
    from_ms = to_ms;
  }
  if (lost) ++(*seen)[HazardClass(spot, age_ms)].losses;
}

int64_t MeanLifeMs(const std::vector<state::Losses>& seen, bool spot, int64_t age_ms) {
  state::Losses others{.losses = 1, .up_ms = spot ? kSpotPriorMs : kOnDemandPriorMs};
  const size_t first = HazardClass(spot, 0);
  const size_t own = HazardClass(spot, age_ms);
  for (size_t place = first; place < first + kAgeClasses; ++place) {
    if (place == own) continue;
    others.losses += At(seen, place).losses;
    others.up_ms += At(seen, place).up_ms;
  }
  const state::Losses age = At(seen, own);
  const int64_t mean_ms = (others.up_ms / others.losses + age.up_ms) / (age.losses + 1);
  return std::max<int64_t>(mean_ms, 1);
}

int64_t MtbfMs(const std::vector<int64_t>& mean_lives_ms) {
  int64_t hazard = 0;
  for (const int64_t mean_ms : mean_lives_ms) hazard += kHazardUnitMs / mean_ms;
  return hazard == 0 ? 0 : std::max<int64_t>(kHazardUnitMs / hazard, 1);
}

}  // namespace baton::policy
