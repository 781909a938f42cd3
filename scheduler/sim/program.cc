#include "scheduler/sim/program.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"

namespace baton::sim {

int32_t Program::BadExit() const {
  if (fate == Fate::kKilled) return -9;
  return fate == Fate::kResumesUnasked ? 75 : 1;
}

state::JobSpec RandomSpec(Random& random) {
  static constexpr Fate kFates[] = {Fate::kHealthy,        Fate::kHealthy, Fate::kHealthy,
                                    Fate::kHealthy,        Fate::kHealthy, Fate::kHealthy,
                                    Fate::kCrashesOnce,    Fate::kCrashes, Fate::kKilled,
                                    Fate::kResumesUnasked, Fate::kBadStart};
  const std::vector<int64_t> program = {
      static_cast<int64_t>(kFates[random.Below(std::size(kFates))]), random.Between(1, 60),
      random.Between(50, 3000), random.Between(1, 20), random.Chance(3, 4) ? 1 : 0};
  state::JobSpec spec;
  spec.project = random.Chance(1, 3) ? "vision" : "speech";
  spec.priority = static_cast<int32_t>(random.Below(3));
  spec.ranks_min = static_cast<int32_t>(random.Between(1, 3));
  spec.ranks_max = static_cast<int32_t>(random.Between(spec.ranks_min, 6));
  if (random.Chance(2, 3)) spec.shards = 8;
  spec.resources.cpus_milli = static_cast<int32_t>(random.Between(1, 4) * 500);
  spec.resources.memory_bytes = random.Between(0, 4) << 30;
  spec.resources.gpus = random.Chance(1, 3) ? static_cast<int32_t>(random.Between(1, 2)) : 0;
  spec.retries = static_cast<int32_t>(random.Between(0, 3));
  spec.capacity = static_cast<state::Capacity>(random.Below(3));
  spec.checkpoints_kept = static_cast<int32_t>(random.Between(1, 3));
  if (random.Chance(1, 8)) spec.time_limit_ms = random.Between(5, 60) * 1000;
  if (random.Chance(1, 6)) spec.notice_grace_ms = random.Between(1, 20) * 1000;
  spec.queue_anyway = random.Chance(1, 10);
  if (random.Chance(1, 4)) {
    spec.ranks_per_node = static_cast<int32_t>(random.Between(1, 2));
    spec.ranks_min *= spec.ranks_per_node;
    spec.ranks_max *= spec.ranks_per_node;
    if (spec.shards > 0) spec.shards = 16;
  }
  if (random.Chance(1, 4)) {
    spec.any_of = {spec.resources, spec.resources};
    state::Resources& best = random.Chance(1, 2) ? spec.any_of[0] : spec.any_of[1];
    best.cpus_milli = static_cast<int32_t>(random.Between(1, 4) * 500);
    best.gpus = static_cast<int32_t>(random.Between(0, 3));
  }
  spec.wire = absl::StrJoin(program, " ");
  return spec;
}

Program ProgramOf(const state::JobSpec& spec) {
  const std::vector<std::string> words = absl::StrSplit(spec.wire, ' ');
  std::vector<int64_t> numbers(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    BATON_CHECK(absl::SimpleAtoi(words[i], &numbers[i]), "a simulated program");
  }
  BATON_CHECK(numbers.size() == 5, "a simulated program");
  return {.fate = static_cast<Fate>(numbers[0]),
          .steps = numbers[1],
          .step_ms = numbers[2],
          .steps_per_checkpoint = numbers[3],
          .catches_sigterm = numbers[4] != 0};
}

}  // namespace baton::sim
