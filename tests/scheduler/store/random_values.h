// Random values of every type that is stored, hostile ones included: empty and binary strings,
// extreme numbers. The same seed makes the same values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/random.h"
#include "scheduler/state/event.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"

namespace baton::store {

class RandomValues {
 public:
  explicit RandomValues(uint64_t seed) : random_(seed) {}

  state::Resources Resources();
  state::JobSpec Spec();
  state::Submitter Submitter() { return {Text(), Text()}; }
  state::Job Job();
  state::Node Node();
  state::Counters Counters();
  // Its trials are numbered from 1 on.
  state::Sweep Sweep();
  state::Trial Trial();
  state::Config Config();
  // Of the kind with this index in the variant.
  state::Event Event(size_t kind);
  std::vector<state::Note> Notes();
  state::Outputs Outputs();

  Random& random() { return random_; }

 private:
  int32_t I32() { return static_cast<int32_t>(Number()); }
  int64_t I64() { return static_cast<int64_t>(Number()); }
  uint64_t Number();
  bool Coin() { return random_.Chance(1, 2); }
  std::string Text();
  template <typename Enum>
  Enum Any(Enum last) {
    return static_cast<Enum>(random_.Below(static_cast<uint64_t>(last) + 1));
  }
  // Up to three values made by `make`.
  template <typename Make>
  auto Some(Make make) {
    std::vector<decltype(make())> values;
    for (uint64_t n = random_.Below(4); n > 0; --n) values.push_back(make());
    return values;
  }
  state::Label Label() { return {Text(), Text()}; }
  state::Task Task();
  state::Loss Loss();
  state::Elastic Elastic();
  state::Checkpoint Checkpoint();
  state::Phases Phases();
  state::Attempt Attempt();
  state::JobHistory History();
  state::NodeOffer Offer();
  state::Notice Notice() { return {Text(), Text(), I64(), Coin(), I64()}; }
  state::TaskKey TaskKey() { return {Text(), I32(), I32(), Number()}; }
  state::TaskReported TaskReported();
  state::WantedTask WantedTask();
  state::Effect Effect();
  state::SweepPlan SweepPlan();
  state::Event SweepEvent(size_t kind);

  Random random_;
};

}  // namespace baton::store
