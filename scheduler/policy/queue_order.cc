#include "scheduler/policy/queue_order.h"

#include <algorithm>
#include <array>

namespace baton::policy {
namespace {

constexpr int kHalfLifeBits = 22;
static_assert(kUsageHalfLifeMs == int64_t{1} << kHalfLifeBits);

constexpr uint64_t SquareRoot(unsigned __int128 x) {
  uint64_t root = 0;
  for (uint64_t bit = uint64_t{1} << 63; bit != 0; bit >>= 1) {
    const unsigned __int128 next = root | bit;
    if (next * next <= x) root |= bit;
  }
  return root;
}

// kFactors[b]: what 2^b ms leave of a usage, in 1 / 2^62. Each is the square root of the next.
constexpr std::array<uint64_t, kHalfLifeBits> MakeFactors() {
  std::array<uint64_t, kHalfLifeBits> factors{};
  uint64_t f = uint64_t{1} << 61;  // one half: a whole half-life
  for (int b = kHalfLifeBits - 1; b >= 0; --b) {
    f = SquareRoot(static_cast<unsigned __int128>(f) << 62);
    factors[static_cast<size_t>(b)] = f;
  }
  return factors;
}
constexpr std::array<uint64_t, kHalfLifeBits> kFactors = MakeFactors();

constexpr int64_t kMemoryWorthOneCore = int64_t{4} << 30;
constexpr int64_t kMillicoresPerGpu = 16'000;

// The project's usage is capped far from overflow: a million cores for a century.
constexpr int64_t kUsageMax = int64_t{1} << 61;

}  // namespace

int64_t DominantDemand(const state::Resources& per_rank, int32_t ranks) {
  const int64_t memory = per_rank.memory_bytes / (kMemoryWorthOneCore / 1000);
  const int64_t gpus = per_rank.gpus * kMillicoresPerGpu;
  return std::max({int64_t{per_rank.cpus_milli}, memory, gpus}) * ranks;
}

int64_t Decay(int64_t usage, int64_t elapsed_ms) {
  const int64_t halvings = elapsed_ms >> kHalfLifeBits;
  if (halvings >= 62) return 0;
  uint64_t left = static_cast<uint64_t>(usage) >> halvings;
  for (int b = 0; b < kHalfLifeBits; ++b) {
    if ((elapsed_ms >> b & 1) == 0) continue;
    const auto product = static_cast<unsigned __int128>(left) * kFactors[static_cast<size_t>(b)];
    left = static_cast<uint64_t>(product >> 62);
  }
  return static_cast<int64_t>(left);
}

state::ProjectUsage Accrue(const state::ProjectUsage& account, int64_t running, int64_t now_ms) {
  const int64_t elapsed = std::max<int64_t>(0, now_ms - account.as_of_ms);
  const auto added = static_cast<__int128>(running) * elapsed;
  const auto sum = static_cast<__int128>(Decay(account.usage, elapsed)) + added;
  const auto capped = std::min(sum, static_cast<__int128>(kUsageMax));
  return {.usage = static_cast<int64_t>(capped), .as_of_ms = std::max(now_ms, account.as_of_ms)};
}

int64_t FairShareUsage(const state::ProjectUsage& account, int64_t running, int64_t now_ms) {
  const auto sum = static_cast<__int128>(Accrue(account, running, now_ms).usage) +
                   static_cast<__int128>(running) * kUsageForesightMs;
  return static_cast<int64_t>(std::min(sum, static_cast<__int128>(kUsageMax)));
}

bool Before(const QueueRank& a, const QueueRank& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  if (a.usage != b.usage) return a.usage < b.usage;
  return a.order < b.order;
}

}  // namespace baton::policy
