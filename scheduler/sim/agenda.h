// Virtual time: what happens when. What is due at one moment happens in the order of its booking.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace baton::sim {

class Agenda {
 public:
  explicit Agenda(int64_t now_ms) : now_ms_(now_ms) {}

  int64_t now_ms() const { return now_ms_; }

  void In(int64_t delay_ms, std::function<void()> action) {
    booked_.emplace(std::pair(now_ms_ + std::max<int64_t>(delay_ms, 0), next_++),
                    std::move(action));
  }

  // Goes on to the next booking; false: there is none.
  bool RunNext() {
    if (booked_.empty()) return false;
    const auto first = booked_.begin();
    now_ms_ = first->first.first;
    const std::function<void()> action = std::move(first->second);
    booked_.erase(first);
    action();
    return true;
  }

 private:
  int64_t now_ms_;
  uint64_t next_ = 0;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> booked_;
};

}  // namespace baton::sim
