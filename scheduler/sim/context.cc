#include "scheduler/sim/context.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace baton::sim {

void Context::Send(std::function<void()> arrive, std::function<void()> lost) {
  if (Chance(chaos.lost)) {
    probes.Hit("message lost");
    agenda.In(random.Between(0, 2000), std::move(lost));
    return;
  }
  int64_t delay_ms = random.Between(0, chaos.delay_max_ms);
  if (Chance(chaos.slow)) {
    probes.Hit("message slow");
    delay_ms += random.Between(100, 5000);
  }
  if (Chance(chaos.doubled)) {
    probes.Hit("message doubled");
    agenda.In(delay_ms + random.Between(0, 3000), arrive);
  }
  agenda.In(delay_ms, std::move(arrive));
}

void Context::Trace(absl::string_view line) {
  tracer_(absl::StrCat("t=", now_ms() - kBeginMs, " ", line));
}

void Context::Digest(absl::string_view bytes) {
  const uint64_t both[2] = {digest_, Xxh3(bytes.data(), bytes.size())};
  digest_ = Xxh3(both, sizeof(both));
}

}  // namespace baton::sim
