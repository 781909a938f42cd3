#include "trainer/parallel/device_exchange.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <latch>
#include <thread>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/fake_device.h"
#include "trainer/comm/local.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{20000};

float ShardValue(int shard, int64_t step, size_t i) {
  Random random(static_cast<uint64_t>(shard) * 1000003 + static_cast<uint64_t>(step) * 7919 + i);
  return static_cast<float>(random.Between(-1000000, 1000000)) *
         (random.Chance(1, 3) ? 1e-6f : 1e-2f);
}

struct Script {
  int shards = 1;
  int ranks = 1;
  size_t parameters = 1;
  size_t bucket_bytes = kBucketBytes;
  int steps = 3;
  bool early = true;
  int drifting_rank = -1;  // its weights differ from step 1 on
  int dying_rank = -1;     // is gone at step 1, when half of the gradient is ready
  int silent_rank = -1;    // the same, but it stays
  milliseconds timeout = kTimeout;
  bool direct = true;
  // Changes what a rank's device is.
  std::function<void(int rank, FakeDeviceOptions& device)> device;
};

struct Rank {
  std::vector<std::vector<float>> gradients;  // per step
  std::vector<double> losses;                 // of all shards, of the last step
  std::vector<uint32_t> flags;
  absl::Status status;
  std::string way;
};

// As a backward pass does it: from behind, in pieces of which some end within a bucket.
void Compute(const Script& script, bool half, int64_t step, Exchange& exchange, int i) {
  const int shard = exchange.run().first + i;
  float* gradient = exchange.shard_gradient(i);
  Random random(static_cast<uint64_t>(shard) + static_cast<uint64_t>(step) * 100);
  size_t from = script.parameters;
  while (from > (half ? script.parameters / 2 : 0)) {
    const size_t end = from;
    from -= std::min<size_t>(from, 1 + random.Below(script.parameters / 3 + 1));
    for (size_t j = from; j < end; ++j) gradient[j] = ShardValue(shard, step, j);
    if (script.early && exchange.starts_early()) exchange.Ready(i, from);
  }
  exchange.shard_result(i) = {shard + 0.5, shard};
}

absl::Status RunSteps(const Script& script, int rank, ShardPool& pool, DeviceVectors* vectors,
                      Exchange& exchange, Rank* seen) {
  for (int64_t step = 0; step < script.steps; ++step) {
    const bool stops = step == 1 && (rank == script.dying_rank || rank == script.silent_rank);
    pool.ForEach(exchange.run().count,
                 [&](int i, int) { Compute(script, stops, step, exchange, i); });
    if (stops) return absl::OkStatus();
    Exchange::Step now;
    now.step = step;
    now.weights_digest = step > 0 && rank == script.drifting_rank ? 2 : 1;
    now.flags = step == 1 && rank == script.ranks - 1 ? kFlagLeave : 0;
    const absl::StatusOr<Exchange::Sum> sum = exchange.Run(now, script.timeout);
    if (!sum.ok()) return sum.status();
    std::vector<float> gradient(sum->gradient.size());
    if (vectors == nullptr) {
      std::copy(sum->gradient.begin(), sum->gradient.end(), gradient.begin());
    } else {
      const absl::Status fetched =
          vectors->Download(sum->gradient.data(), absl::MakeSpan(gradient));
      if (!fetched.ok()) return fetched;
    }
    seen->gradients.push_back(std::move(gradient));
    seen->flags.push_back(sum->flags);
    seen->losses.clear();
    for (const ShardResult& result : sum->results) seen->losses.push_back(result.loss_sum);
  }
  return absl::OkStatus();
}

void RunRank(const Script& script, std::shared_ptr<FakeFabric> fabric, Group& group, Rank* seen,
             const std::function<void()>& before_leaving) {
  FakeDeviceOptions device;
  device.fabric = std::move(fabric);
  device.name = absl::StrCat("device ", group.rank());
  if (script.device) script.device(group.rank(), device);
  FakeVectors vectors(device);
  ShardPool pool(3);
  DeviceExchangeOptions options;
  options.shards = script.shards;
  options.parameters = script.parameters;
  options.bucket_bytes = script.bucket_bytes;
  options.direct = script.direct;
  options.timeout = milliseconds(300);
  auto exchange = DeviceExchange::Create(group, pool, vectors, options);
  seen->status = exchange.status();
  if (!exchange.ok()) return;
  seen->way = (*exchange)->way();
  seen->status = RunSteps(script, group.rank(), pool, &vectors, **exchange, seen);
  // As a trainer does: nobody leaves while others are in the last step.
  if (seen->status.ok() && static_cast<int>(seen->gradients.size()) == script.steps) {
    EXPECT_TRUE(Barrier(group, kTimeout).ok());
  }
  before_leaving();
}

std::vector<Rank> RunAll(const Script& script) {
  auto members = MakeLocalGroup(script.ranks);
  const std::shared_ptr<FakeFabric> fabric = MakeFakeFabric();
  std::vector<Rank> seen(static_cast<size_t>(script.ranks));
  std::vector<std::thread> threads;
  std::latch others_left(script.ranks - 1);
  for (size_t rank = 0; rank < seen.size(); ++rank) {
    threads.emplace_back([&, rank] {
      RunRank(script, fabric, *members[rank], &seen[rank], [&] {
        // Who is silent is still there when the others have had enough.
        if (static_cast<int>(rank) == script.silent_rank) {
          others_left.wait();
        } else if (script.silent_rank >= 0) {
          others_left.count_down();
        }
      });
      members[rank].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return seen;
}

// The exchange of the hosts with one rank.
Rank Want(Script script) {
  script.ranks = 1;
  auto members = MakeLocalGroup(1);
  ShardPool pool(1);
  auto exchange = GradientExchange::Create(*members[0], pool, script.shards, script.parameters);
  Rank seen;
  seen.status = RunSteps(script, 0, pool, nullptr, **exchange, &seen);
  return seen;
}

void ExpectSame(const Script& script, const Rank& want, const Rank& got) {
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.losses, want.losses);
  EXPECT_EQ(got.flags, want.flags);
  ASSERT_EQ(got.gradients.size(), want.gradients.size());
  for (size_t step = 0; step < want.gradients.size(); ++step) {
    EXPECT_EQ(std::memcmp(got.gradients[step].data(), want.gradients[step].data(),
                          script.parameters * sizeof(float)),
              0)
        << "V=" << script.shards << " P=" << script.ranks << " n=" << script.parameters
        << " bucket " << script.bucket_bytes << " step " << step;
  }
}

TEST(DeviceExchangeTest, EveryWorldSizeHasTheBitsOfTheHosts) {
  for (const int shards : {1, 3, 5, 8}) {
    for (const size_t parameters : {size_t{7}, size_t{500}}) {
      Script script;
      script.shards = shards;
      script.parameters = parameters;
      const Rank want = Want(script);
      for (const int ranks : {1, 2, 3, 5}) {
        if (ranks > shards) continue;
        for (const size_t bucket_bytes : {size_t{64}, size_t{300}, kBucketBytes}) {
          for (const bool early : {true, false}) {
            script.ranks = ranks;
            script.bucket_bytes = bucket_bytes;
            script.early = early;
            for (const Rank& rank : RunAll(script)) {
              EXPECT_EQ(rank.way, ranks == 1 ? "on one device" : "between devices");
              ExpectSame(script, want, rank);
            }
          }
        }
      }
    }
  }
}

TEST(DeviceExchangeTest, DevicesThatFormNoGroupGoThroughTheHostsAndSayWhy) {
  struct Case {
    const char* why;
    std::function<void(int, FakeDeviceOptions&)> device;
  };
  const std::vector<Case> cases = {
      {"a rank has no NCCL",
       [](int rank, auto& d) {
         if (rank == 1) d.fabric = nullptr;
       }},
      {"several versions", [](int rank, auto& d) { d.version = rank == 2 ? 2 : 1; }},
      {"share a card", [](int rank, auto& d) { d.name = rank < 2 ? "one" : "other"; }},
      {"did not start on the node of rank 0", [](int, auto& d) { d.id_fails = true; }},
      {"failed for the card of rank 1", [](int rank, auto& d) { d.join_fails = rank == 1; }},
  };
  for (const Case& one : cases) {
    Script script;
    script.shards = 5;
    script.ranks = 3;
    script.parameters = 500;
    script.bucket_bytes = 300;
    script.device = one.device;
    const Rank want = Want(script);
    for (const Rank& rank : RunAll(script)) {
      EXPECT_THAT(rank.way, testing::StartsWith("through hosts: "));
      EXPECT_THAT(rank.way, testing::HasSubstr(one.why));
      ExpectSame(script, want, rank);
    }
  }
}

TEST(DeviceExchangeTest, ItGoesThroughTheHostsWhenAskedTo) {
  Script script;
  script.shards = 4;
  script.ranks = 2;
  script.parameters = 100;
  script.direct = false;
  const Rank want = Want(script);
  for (const Rank& rank : RunAll(script)) {
    EXPECT_EQ(rank.way, "through hosts: as asked for");
    ExpectSame(script, want, rank);
  }
}

// Its part of the first buckets is under way, and what the others wait for never comes.
TEST(DeviceExchangeTest, APeerThatDiesAmidItsBucketsFailsTheStep) {
  for (const int dying : {0, 1, 2}) {
    Script script;
    script.shards = 6;
    script.ranks = 3;
    script.parameters = 500;
    script.bucket_bytes = 64;
    script.dying_rank = dying;
    const std::vector<Rank> seen = RunAll(script);
    for (int rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(seen[rank].gradients.size(), 1u);
      if (rank == dying) continue;
      EXPECT_EQ(seen[rank].status.code(), absl::StatusCode::kUnavailable) << seen[rank].status;
    }
  }
}

TEST(DeviceExchangeTest, ASilentPeerEndsTheWaitAtItsTimeout) {
  Script script;
  script.shards = 4;
  script.ranks = 2;
  script.parameters = 500;
  script.bucket_bytes = 64;
  script.silent_rank = 1;
  script.timeout = milliseconds(100);
  const Rank seen = RunAll(script)[0];
  EXPECT_EQ(seen.status.code(), absl::StatusCode::kDeadlineExceeded) << seen.status;
  EXPECT_EQ(seen.gradients.size(), 1u);
}

TEST(DeviceExchangeTest, ARankWhoseWeightsDriftedIsCaughtByAll) {
  for (int round = 0; round < 20; ++round) {
    Script script;
    script.shards = 4;
    script.ranks = 3;
    script.parameters = 500;
    script.bucket_bytes = 64;
    script.drifting_rank = 1;
    for (const Rank& rank : RunAll(script)) {
      EXPECT_EQ(rank.status.code(), absl::StatusCode::kDataLoss) << rank.status;
      EXPECT_THAT(std::string(rank.status.message()), testing::HasSubstr("rank 1 differ"));
      EXPECT_EQ(rank.gradients.size(), 1u);
    }
  }
}

}  // namespace
}  // namespace baton::trainer
