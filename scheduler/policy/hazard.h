// How soon nodes are lost, as the fleet has seen it: by kind, and by age where there is history.
// From it follows how often a training should save (trainer/save_schedule.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "scheduler/state/state.h"

namespace baton::policy {

// What a young cluster takes for granted, as if one node of the kind had been lost in so long.
inline constexpr int64_t kSpotPriorMs = int64_t{12} * 3'600'000;
inline constexpr int64_t kOnDemandPriorMs = int64_t{30} * 24 * 3'600'000;

// A life's first hour, the rest of its first six, of its first day, and all after that: in some
// clouds a spot node has its worst time at the beginning, in some its day ends it.
inline constexpr int64_t kAgesMs[] = {3'600'000, 6 * 3'600'000, 24 * 3'600'000};
inline constexpr size_t kAgeClasses = std::size(kAgesMs) + 1;

// Place in state::Counters::losses.
size_t HazardClass(bool spot, int64_t age_ms);

// A node's life of `age_ms`, into each class that it passed. `lost`: and was lost then, not parted
// with on purpose, nor still there.
void CountLife(bool spot, int64_t age_ms, bool lost, std::vector<state::Losses>* seen);

// The mean time between losses at a node of this age. The prior counts as one loss of the kind, and
// what was seen of the kind at other ages as one loss at this one (a gamma prior, Gelman et al.,
// "Bayesian Data Analysis", section 2.6), so that each weighs less the more there is to go by.
int64_t MeanLifeMs(const std::vector<state::Losses>& seen, bool spot, int64_t age_ms);

// Until a gang whose nodes have these mean lives loses one of them: one over the sum of hazards. 0:
// no nodes.
int64_t MtbfMs(const std::vector<int64_t>& mean_lives_ms);

}  // namespace baton::policy
