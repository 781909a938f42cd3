// Steps an agent through a scenario with a clock of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "worker/core/agent.h"

namespace baton::worker {

inline const TaskKey kKey{"job1", 1, 0, 7};

class AgentTest : public testing::Test {
 protected:
  const std::vector<Effect>& Do(const Event& event) {
    return effects_ = agent_.Step(event, {unix_ms_, steady_ms_});
  }
  const std::vector<Effect>& After(int64_t ms, const Event& event = Tick{}) {
    unix_ms_ += ms;
    steady_ms_ += ms;
    return Do(event);
  }

  template <typename T>
  std::vector<T> All() const {
    std::vector<T> found;
    for (const Effect& effect : effects_) {
      if (const T* one = std::get_if<T>(&effect)) found.push_back(*one);
    }
    return found;
  }
  template <typename T>
  int Count() const {
    return static_cast<int>(All<T>().size());
  }

  static Wanted Want(Goal goal, const TaskKey& key = kKey) {
    Wanted wanted;
    wanted.key = key;
    wanted.goal = goal;
    auto spec = std::make_shared<TaskSpec>();
    spec->notice_grace_ms = 5000;
    wanted.spec = spec;
    return wanted;
  }
  void Wanting(std::vector<Wanted> tasks) { Do(WantedSet{term_, ++sequence_, std::move(tasks)}); }
  void Connect() {
    Do(LinkUp{});
    Do(Welcomed{term_, 1000});
  }
  void Run() {
    Connect();
    Wanting({Want(Goal::kRun)});
    Do(TaskPrepared{kKey, "127.0.0.1", 4000, 10, 20, {}});
    Do(TaskStarted{kKey, 99});
  }

  Agent agent_{AgentOptions{}};
  int64_t unix_ms_ = 1'000'000;
  int64_t steady_ms_ = 50'000;
  uint64_t term_ = 3;
  uint64_t sequence_ = 0;
  std::vector<Effect> effects_;
};

}  // namespace baton::worker
