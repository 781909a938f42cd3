#include "scheduler/sim/world.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scheduler/sim/checkers.h"
#include "scheduler/sim/clients.h"
#include "scheduler/sim/context.h"
#include "scheduler/sim/cuts.h"
#include "scheduler/sim/gangs.h"
#include "scheduler/sim/messages.h"
#include "scheduler/sim/replay.h"
#include "scheduler/sim/scheduler.h"
#include "scheduler/sim/worker.h"
#include "scheduler/store/export.h"
#include "scheduler/store/keys.h"

namespace baton::sim {
namespace {

// Healed, a world has this long to end its jobs.
constexpr int64_t kHealedMs = 48LL * 3600 * 1000;

state::NodeOffer RandomOffer(Random& random, uint64_t index) {
  state::NodeOffer offer;
  offer.name = absl::StrCat("node-", index);
  offer.id = absl::StrFormat("%032x", index);
  offer.cpus_milli = static_cast<int32_t>(random.Between(1, 8) * 1000);
  offer.memory_bytes = random.Between(2, 32) << 30;
  const int64_t gpus = random.Chance(1, 2) ? random.Between(1, 4) : 0;
  for (int32_t i = 0; i < gpus; ++i) offer.gpus.push_back({i, "sim", int64_t{16} << 30});
  offer.disk_free_bytes = int64_t{100} << 30;
  offer.data_addresses = {absl::StrCat("10.0.0.", index)};
  offer.host_id = offer.id;
  offer.device_kind = "cpu:sim";
  offer.spot = random.Chance(2, 3);
  offer.price_usd_micro_per_hour = random.Between(10'000, 900'000);
  offer.on_demand_usd_micro_per_hour = offer.price_usd_micro_per_hour * 3;
  return offer;
}

Chaos RandomChaos(Random& random) {
  const auto sometimes = [&random](uint64_t most) {
    return random.Chance(1, 2) ? random.Below(most) : 0;
  };
  Chaos chaos;
  chaos.lost = sometimes(50);
  chaos.doubled = sometimes(200);
  chaos.slow = sometimes(200);
  chaos.delay_max_ms = random.Chance(1, 2) ? 20 : 400;
  chaos.failed_commit = sometimes(6);
  chaos.slow_commit = sometimes(100);
  chaos.scheduler_life_ms = random.Chance(3, 4) ? random.Between(10, 600) * 1000 : 0;
  chaos.node_life_ms = random.Between(20, 900) * 1000;
  chaos.sick_start = sometimes(100);
  chaos.cut_every_ms = random.Chance(1, 2) ? random.Between(5, 300) * 1000 : 0;
  return chaos;
}

class World : public Fabric {
 public:
  explicit World(const WorldOptions& options)
      : options_(options),
        context_(options.seed, options.tracer),
        checkers_(context_),
        scheduler_(context_, *this, checkers_, {}),
        clients_(context_, scheduler_, checkers_),
        cuts_(context_, [this](const auto& from, const auto& to) { gangs_.Cut(from, to); }),
        gangs_(context_, cuts_, workers_) {
    context_.chaos = RandomChaos(context_.random);
    const uint64_t nodes = static_cast<uint64_t>(context_.random.Between(2, 10));
    for (uint64_t i = 1; i <= nodes; ++i) {
      workers_.push_back(
          std::make_unique<Worker>(context_, *this, RandomOffer(context_.random, i)));
      nodes_.push_back(workers_.back()->offer().id);
    }
  }

  WorldResult Run();

  uint64_t Connect(Worker* worker) override;
  void Say(uint64_t connection, const ToScheduler& message) override;
  void Say(uint64_t connection, const ToWorker& message) override;
  void Gone(uint64_t connection, bool told) override;
  void GangBroken(const state::TaskKey& task) override;
  void Close(uint64_t connection) override;
  bool IsHeard(uint64_t connection) const override { return open_.count(connection) != 0; }
  std::vector<state::LastHeard> Progress(uint64_t connection) const override;
  std::string Dial(const state::NodeId& from, const state::ProbeTarget& to) override;
  void Arrive(const state::TaskKey& task, uint64_t generation, const std::vector<int32_t>& members,
              int64_t step) override;
  std::vector<int32_t> Missing(state::Token token, uint64_t generation) const override {
    return gangs_.Missing(token, generation);
  }

 private:
  void Break(uint64_t connection);
  void BookPeople();
  void BookSchedulerLife();
  void BookNodeLife(Worker* worker);
  void StrikeNode(Worker* worker);
  void GiveNotice(Worker* worker);
  void BookFullDisk();
  void Heal();
  bool RunUntil(uint64_t events, int64_t until_ms);
  void LookWhenQuiet();
  void ReplaySome();

  const WorldOptions options_;
  Context context_;
  Checkers checkers_;
  Scheduler scheduler_;
  Clients clients_;
  Cuts cuts_;
  Gangs gangs_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<state::NodeId> nodes_;
  std::map<uint64_t, Worker*> open_;
  uint64_t connections_ = 0;
  uint64_t looked_at_ = 0;
  uint64_t replayed_ = 0;
  bool healed_ = false;
};

// ---- the network ----

uint64_t World::Connect(Worker* worker) {
  if (!scheduler_.up()) return 0;
  open_[++connections_] = worker;
  return connections_;
}

void World::Say(uint64_t connection, const ToScheduler& message) {
  context_.Send(
      [this, connection, message] {
        if (open_.count(connection) != 0) scheduler_.Hear(connection, message);
      },
      [this, connection] { Break(connection); });
}

void World::Say(uint64_t connection, const ToWorker& message) {
  context_.Send(
      [this, connection, message] {
        const auto open = open_.find(connection);
        if (open != open_.end()) open->second->Hear(connection, message);
      },
      [this, connection] { Break(connection); });
}

// Both ends notice, each in its own time.
void World::Break(uint64_t connection) {
  const auto open = open_.find(connection);
  if (open == open_.end()) return;
  Worker* worker = open->second;
  open_.erase(open);
  // Now and then the scheduler takes a broken connection for a dead process.
  const bool mistaken = !healed_ && context_.random.Chance(1, 10);
  if (mistaken) context_.probes.Hit("broken connection taken for a death");
  scheduler_.Disconnected(connection, mistaken);
  worker->Disconnected(connection);
}

void World::Gone(uint64_t connection, bool told) {
  open_.erase(connection);
  if (!told) return;
  context_.agenda.In(context_.random.Between(0, 50),
                     [this, connection] { scheduler_.Disconnected(connection, true); });
}

void World::Close(uint64_t connection) {
  const auto open = open_.find(connection);
  if (open == open_.end()) return;
  Worker* worker = open->second;
  open_.erase(open);
  context_.agenda.In(context_.random.Between(0, 300),
                     [worker, connection] { worker->Disconnected(connection); });
}

void World::GangBroken(const state::TaskKey& task) {
  gangs_.Leave(task);
  // Not within the caller, which may be walking over its tasks.
  context_.agenda.In(0, [this, task] {
    for (const auto& worker : workers_) worker->PeerLost(task);
  });
}

std::vector<state::LastHeard> World::Progress(uint64_t connection) const {
  const auto open = open_.find(connection);
  return open == open_.end() ? std::vector<state::LastHeard>() : open->second->Progress();
}

std::string World::Dial(const state::NodeId& from, const state::ProbeTarget& to) {
  if (cuts_.Cut(from, to.node)) return "connection timed out";
  for (const auto& worker : workers_) {
    if (worker->offer().id != to.node) continue;
    const bool there = worker->alive() && worker->offer().probe_port == to.port;
    return there ? "" : "connection refused";
  }
  return "no such node";
}

void World::Arrive(const state::TaskKey& task, uint64_t generation,
                   const std::vector<int32_t>& members, int64_t step) {
  gangs_.Arrive(task, generation, members, step);
}

// ---- what happens ----

void World::BookPeople() {
  context_.agenda.In(context_.random.Between(0, 6000), [this] {
    if (healed_) return;
    clients_.Act(nodes_);
    BookPeople();
  });
}

void World::BookSchedulerLife() {
  const int64_t mean_ms = context_.chaos.scheduler_life_ms;
  if (mean_ms == 0) return;
  context_.agenda.In(context_.random.Between(0, 2 * mean_ms), [this] {
    if (healed_) return;
    scheduler_.Crash();
    BookSchedulerLife();
  });
}

void World::BookNodeLife(Worker* worker) {
  context_.agenda.In(context_.random.Between(0, 2 * context_.chaos.node_life_ms), [this, worker] {
    if (healed_) return;
    StrikeNode(worker);
    BookNodeLife(worker);
  });
}

void World::StrikeNode(Worker* worker) {
  if (!worker->alive()) return;
  switch (context_.random.Below(6)) {
    case 0:
      context_.probes.Hit("worker said goodbye");
      worker->Leave();
      break;
    case 1:
      context_.probes.Hit("worker killed, and the host says so");
      worker->Die(true);
      break;
    case 2:
      context_.probes.Hit("host gone in silence");
      worker->Die(false);
      break;
    case 3:
      context_.probes.Hit("worker cut off");
      worker->Vanish(context_.random.Between(500, 40'000));
      return;
    default:
      GiveNotice(worker);
      return;
  }
  context_.agenda.In(context_.random.Between(100, 60'000), [worker] {
    if (!worker->alive()) worker->Start();
  });
}

void World::GiveNotice(Worker* worker) {
  const int64_t left_ms = context_.random.Between(0, 40'000);
  worker->Notice({.source = "sim",
                  .kind = "preempt",
                  .deadline_ms = context_.now_ms() + left_ms,
                  .certain = context_.random.Chance(3, 4),
                  .noticed_ms = context_.now_ms()});
  if (context_.random.Chance(1, 4)) {
    context_.probes.Hit("notice withdrawn");
    context_.agenda.In(context_.random.Between(0, left_ms), [worker] {
      if (worker->alive()) worker->Withdraw();
    });
    return;
  }
  // On time, too early, or late.
  const bool early = context_.random.Chance(1, 5);
  if (early) context_.probes.Hit("node gone before its notice ran out");
  const int64_t gone_ms = early ? context_.random.Between(0, left_ms) : left_ms;
  context_.agenda.In(gone_ms, [this, worker, incarnation = worker->offer().incarnation] {
    if (!worker->alive() || worker->offer().incarnation != incarnation) return;
    worker->Die(context_.random.Chance(1, 2));
    context_.agenda.In(context_.random.Between(100, 60'000), [worker] {
      if (!worker->alive()) worker->Start();
    });
  });
}

void World::BookFullDisk() {
  context_.agenda.In(context_.random.Between(60'000, 600'000), [this] {
    if (healed_) return;
    scheduler_.store().SetFreeFraction(0.03);
    context_.agenda.In(context_.random.Between(1000, 30'000),
                       [this] { scheduler_.store().SetFreeFraction(0.5); });
    BookFullDisk();
  });
}

// ---- the course ----

void World::Heal() {
  healed_ = true;
  const int64_t delay_max_ms = context_.chaos.delay_max_ms;
  context_.chaos = Chaos();
  context_.chaos.delay_max_ms = delay_max_ms;
  scheduler_.store().SetFreeFraction(0.5);
  cuts_.Heal();
  gangs_.Heal();
  // Later than whatever the faults have booked.
  context_.agenda.In(130'000, [this] {
    for (const auto& worker : workers_) {
      if (worker->alive()) {
        worker->Withdraw();
      } else {
        worker->Start();
      }
    }
    for (const state::NodeId& node : nodes_) {
      scheduler_.Call(state::NodeUndrained{.node = node}, nullptr);
    }
  });
}

// False when a promise was broken, or there is no more to come.
bool World::RunUntil(uint64_t events, int64_t until_ms) {
  while (scheduler_.events() < events && context_.now_ms() < until_ms) {
    if (!context_.agenda.RunNext()) return false;
    if (!context_.broken().ok()) return false;
    if (!scheduler_.up()) {
      context_.agenda.In(context_.random.Between(10, healed_ ? 11 : 20'000), [this] {
        if (!scheduler_.up()) scheduler_.Start();
      });
      while (!scheduler_.up() && context_.agenda.RunNext()) continue;
    }
    LookWhenQuiet();
  }
  return context_.broken().ok();
}

void World::LookWhenQuiet() {
  constexpr uint64_t kEventsBetween = 1000;
  if (scheduler_.events() < looked_at_ + kEventsBetween) return;
  if (!scheduler_.up() || !scheduler_.IsQuiet()) return;
  looked_at_ = scheduler_.events();
  checkers_.OnQuiet(scheduler_.store(), scheduler_.core());
}

// A random segment of the log through the core again.
void World::ReplaySome() {
  std::vector<uint64_t> segments;
  store::MemoryStore& store = scheduler_.store();
  const absl::Status scanned =
      store.Scan(store::Table::kLog, "", [&segments](absl::string_view key, absl::string_view) {
        const uint64_t segment = store::NumberOfKey(key);
        if (segments.empty() || segments.back() != segment) segments.push_back(segment);
        return absl::OkStatus();
      });
  if (!scanned.ok() || segments.empty()) return context_.Fail("the event log is empty");
  std::string bytes;
  const absl::Status exported = store::ExportSegment(
      store, segments[context_.random.Below(segments.size())], [&bytes](absl::string_view piece) {
        bytes.append(piece.data(), piece.size());
        return absl::OkStatus();
      });
  if (!exported.ok()) return context_.Fail(exported.ToString());
  const auto report = Replay(bytes);
  if (!report.ok()) return context_.Fail(report.status().ToString());
  replayed_ = report->events;
  if (report->differences_total != 0) {
    context_.Fail(absl::StrCat("a replay decides otherwise: ", Words(*report)));
  }
}

WorldResult World::Run() {
  scheduler_.Start();
  for (const auto& worker : workers_) {
    Worker* started = worker.get();
    context_.agenda.In(context_.random.Between(0, 20'000), [started] { started->Start(); });
    BookNodeLife(started);
  }
  BookPeople();
  BookSchedulerLife();
  BookFullDisk();
  gangs_.BookFreezes();
  cuts_.Begin(nodes_);
  bool good = RunUntil(options_.fault_events, INT64_MAX);
  if (good) {
    Heal();
    const int64_t end_ms = context_.now_ms() + kHealedMs;
    good = RunUntil(UINT64_MAX, context_.now_ms() + 200'000);
    while (good && context_.now_ms() < end_ms) {
      clients_.ResumeAll();
      if (clients_.waiting() == 0 && checkers_.AllEnded(scheduler_.core())) break;
      good = RunUntil(UINT64_MAX, context_.now_ms() + 60'000);
    }
  }
  if (good) {
    checkers_.AtTheEnd(scheduler_.core(), context_.now_ms());
    checkers_.Everything(scheduler_.core(), context_.now_ms());
    ReplaySome();
  }
  WorldResult result;
  result.status = context_.broken();
  result.events = scheduler_.events();
  result.digest = context_.digest();
  result.virtual_ms = context_.now_ms() - Context::kBeginMs;
  result.jobs = scheduler_.up() ? scheduler_.core().state().jobs.size() : 0;
  result.replayed = replayed_;
  result.probes = context_.probes;
  return result;
}

}  // namespace

WorldResult RunWorld(const WorldOptions& options) { return World(options).Run(); }

}  // namespace baton::sim
