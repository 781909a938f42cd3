#include "common/clock.h"

#include <chrono>

namespace baton {
namespace {

class SystemClockImpl : public Clock {
 public:
  int64_t UnixMillis() const override { return Millis(std::chrono::system_clock::now()); }
  int64_t MonotonicMillis() const override { return Millis(std::chrono::steady_clock::now()); }

 private:
  template <typename TimePoint>
  static int64_t Millis(TimePoint t) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const SystemClockImpl clock;
  return clock;
}

}  // namespace baton
