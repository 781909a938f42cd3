// The two clocks, injected wherever time matters so that tests and the simulator own it.
// The pure folders never see a Clock: they get `now` as an argument.
#pragma once

#include <cstdint>

namespace baton {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970 UTC; may jump. For people and for records.
  virtual int64_t UnixMillis() const = 0;
  // Milliseconds since an arbitrary start; never goes back. For leases and timeouts.
  virtual int64_t MonotonicMillis() const = 0;
};

// The machine's clocks; lives for the whole process.
const Clock& SystemClock();

}  // namespace baton
