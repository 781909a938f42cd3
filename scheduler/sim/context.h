// What all parts of a simulated world share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/random.h"
#include "scheduler/sim/agenda.h"
#include "scheduler/sim/probes.h"

namespace baton::sim {

// How much goes wrong; drawn anew for each world, so that some are calm in most respects and wild
// in one. Chances are per thousand.
struct Chaos {
  uint64_t lost = 0;     // a message, and with it the connection
  uint64_t doubled = 0;  // a message
  uint64_t slow = 0;     // a message, by seconds
  int64_t delay_max_ms = 20;
  uint64_t failed_commit = 0;
  uint64_t slow_commit = 0;
  int64_t scheduler_life_ms = 0;  // mean; 0: it never crashes
  int64_t node_life_ms = 0;       // mean
  int64_t cut_every_ms = 0;       // mean; nodes that don't reach each other; 0: never
  uint64_t sick_start = 0;        // a start that fails for the node's sake
};

class Context {
 public:
  using Tracer = std::function<void(absl::string_view line)>;
  // `tracer` may be null.
  Context(uint64_t seed, Tracer tracer)
      : random(seed), agenda(kBeginMs), tracer_(std::move(tracer)) {}

  static constexpr int64_t kBeginMs = 1'700'000'000'000;

  Random random;
  Agenda agenda;
  Chaos chaos;
  Probes probes;

  int64_t now_ms() const { return agenda.now_ms(); }
  bool Chance(uint64_t per_thousand) { return random.Chance(per_thousand, 1000); }

  // A message: calls `arrive` after a delay, or twice, or never; then `lost` is called instead.
  void Send(std::function<void()> arrive, std::function<void()> lost);

  // The first broken promise ends the run.
  void Fail(const std::string& what) {
    if (broken_.ok()) broken_ = absl::InternalError(what);
  }
  const absl::Status& broken() const { return broken_; }

  bool tracing() const { return tracer_ != nullptr; }
  void Trace(absl::string_view line);
  // Of all that happened, whether traced in words or not.
  void Digest(absl::string_view bytes);
  uint64_t digest() const { return digest_; }

 private:
  const Tracer tracer_;
  absl::Status broken_;
  uint64_t digest_ = 0;
};

}  // namespace baton::sim
