// The core under random events: all invariants hold after each, and a core that is rebuilt from its
// state at any moment answers all later events with the same bytes as the one that went on. What
// is not in the state (what is blocked, what is held back) may save work, never change a decision.
// Replay: scheduler_core_test --gtest_filter='Random*' with BATON_SEED=N.
#include "common/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/step.h"
#include "tests/scheduler/core/copy.h"

namespace baton::core {
namespace {

constexpr int kNodes = 6;
constexpr int64_t kDiskUnit = int64_t{1} << 38;

// Makes events that mostly fit the state, and some that do not.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  state::Event Next(const Core& core) {
    if (random_.Chance(1, 4)) return SweepEvent(core);
    if (random_.Chance(1, 2)) return GangEvent(core);
    if (random_.Chance(1, 600)) return state::SchedulerStarted{core.state().counters.term + 1};
    switch (random_.Below(18)) {
      case 0:
      case 1:
        return Submit(core);
      case 2:
        return state::JobCancelled{AnyJob(core), "ann"};
      case 9:
        return Hold(core);
      case 3:
        return random_.Chance(1, 4)
                   ? state::Event(state::JobRetried{AnyJob(core), "ann", AnyFrom()})
                   : state::Event(state::TimerFired{});
      case 4:
        return Join();
      case 5:
        return random_.Chance(1, 2) ? Lose(core) : Join();
      case 6:
        return NodeWish();
      case 10:
      case 11:
        return Probe(core);
      case 7:
      case 8:
        return Upload(core);
      default:
        return Report(core);
    }
  }

 private:
  state::NodeId AnyNode() { return absl::StrCat("node-", random_.Below(kNodes)); }

  state::JobId AnyJob(const Core& core) {
    const auto& jobs = core.state().jobs;
    if (jobs.empty()) return "none";
    auto it = jobs.begin();
    std::advance(it, static_cast<int64_t>(random_.Below(jobs.size())));
    return it->first;
  }

  // What the sampler and the readers of metrics answer, in time or too late, and what people want.
  state::Event SweepEvent(const Core& core) {
    const auto& sweeps = core.state().sweeps;
    if (sweeps.empty() || random_.Chance(1, 16)) return SubmitSweep(core);
    auto it = sweeps.begin();
    std::advance(it, static_cast<int64_t>(random_.Below(sweeps.size())));
    const state::Sweep& sweep = it->second;
    if (random_.Chance(1, 40)) return state::SweepStopped{sweep.id, "ann"};
    if (random_.Chance(1, 160)) return state::SweepDeleted{sweep.id, "ann"};
    for (const state::Trial& trial : sweep.trials) {
      if (trial.phase != state::TrialPhase::kReading || random_.Chance(1, 3)) continue;
      // Many alike, so that the lower index of two has to win; some that are no numbers.
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      const double values[] = {0.5, 0.5, 1.5, -1, kNan, 1e308 * 10};
      return state::TrialReported{.sweep = sweep.id,
                                  .index = trial.index,
                                  .has_metric = random_.Chance(4, 5),
                                  .metric_bits = std::bit_cast<uint64_t>(values[random_.Below(6)]),
                                  .step = 1,
                                  .detail = ""};
    }
    if (random_.Chance(1, 2)) return EndOfTrial(core, sweep);
    state::TrialSuggested event;
    event.sweep = sweep.id;
    event.index = static_cast<int32_t>(sweep.trials.size() + 1);
    if (random_.Chance(1, 20)) ++event.index;
    event.params_json = absl::StrCat("{\"x\":", event.index, "}");
    if (random_.Chance(1, 60)) event.over = "all points were tried";
    auto spec = std::make_shared<state::JobSpec>(*sweep.spec);
    spec->sweep = sweep.id;
    spec->trial = event.index;
    event.spec = spec;
    return event;
  }

  // A rank of a live trial is done: more trials succeed than random reports would let.
  state::Event EndOfTrial(const Core& core, const state::Sweep& sweep) {
    for (const state::Trial& trial : sweep.trials) {
      const auto job = core.state().jobs.find(trial.job);
      if (job == core.state().jobs.end() || job->second.LiveAttempt() == nullptr) continue;
      const state::Attempt& attempt = *job->second.LiveAttempt();
      const state::Task& task = attempt.tasks[random_.Below(attempt.tasks.size())];
      const bool going = task.phase != state::TaskPhase::kExited;
      if (!going || random_.Chance(1, 3)) continue;
      state::TaskReported event;
      event.task = {trial.job, attempt.number, task.rank, attempt.token};
      event.node = task.node;
      event.incarnation = core.state().nodes.at(task.node).offer.incarnation;
      event.stage = state::TaskStage::kExited;
      event.at_ms = core.state().counters.now_ms;
      return event;
    }
    return state::TimerFired{};
  }

  state::Event SubmitSweep(const Core& core) {
    const auto like = std::get<state::JobsSubmitted>(Submit(core));
    state::SweepSubmitted event;
    event.request_id = like.request_id;
    event.request_digest = random_.Below(2);
    event.id = absl::StrCat("sweep-", random_.Below(40));
    event.name = event.id;
    event.plan.metric = "acc";
    event.plan.goal =
        random_.Chance(1, 2) ? state::SweepGoal::kMaximize : state::SweepGoal::kMinimize;
    event.plan.trials_max = 1 + static_cast<int32_t>(random_.Below(8));
    event.plan.parallel_max = 1 + static_cast<int32_t>(random_.Below(4));
    event.spec = like.jobs.front().spec;
    return event;
  }

  state::Event Hold(const Core& core) {
    if (random_.Chance(1, 4)) return state::JobDeleted{AnyJob(core), "ann"};
    if (random_.Chance(1, 3)) return state::JobPaused{AnyJob(core), "ann"};
    return state::JobResumed{AnyJob(core), "ann"};
  }

  std::string AnyFrom() {
    return random_.Chance(1, 2)   ? ""
           : random_.Chance(1, 2) ? state::kFromScratch
                                  : absl::StrCat(random_.Below(60));
  }

  state::Event Submit(const Core& core) {
    auto spec = std::make_shared<state::JobSpec>();
    spec->project = random_.Chance(1, 2) ? "a" : "b";
    spec->priority = static_cast<int32_t>(random_.Below(2));
    spec->ranks_min = random_.Chance(1, 2) ? 1 : 1 + static_cast<int32_t>(random_.Below(3));
    spec->ranks_max = spec->ranks_min + static_cast<int32_t>(random_.Below(3));
    if (random_.Chance(1, 4)) {
      spec->ranks_per_node = 1 + static_cast<int32_t>(random_.Below(2));
      spec->ranks_min *= spec->ranks_per_node;
      spec->ranks_max *= spec->ranks_per_node;
    }
    spec->shards = random_.Chance(1, 2) ? 8 : 0;
    spec->resources.cpus_milli = static_cast<int32_t>(500 * (1 + random_.Below(4)));
    spec->resources.gpus = random_.Chance(1, 4) ? 1 : 0;
    if (random_.Chance(1, 3)) spec->resources.disk_bytes = random_.Between(1, 3) * kDiskUnit;
    if (random_.Chance(1, 4)) {
      spec->any_of = {spec->resources, spec->resources};
      state::Resources& best = spec->any_of[random_.Below(2)];
      best.gpus = static_cast<int32_t>(random_.Between(0, 2));
      best.disk_bytes = random_.Between(0, 2) * kDiskUnit;
    }
    if (random_.Chance(1, 4)) spec->data = SomeData();
    spec->retries = static_cast<int32_t>(random_.Below(3));
    spec->checkpoints_kept = 2;
    spec->time_limit_ms = random_.Chance(1, 4) ? 20'000 : 0;
    spec->queue_anyway = true;
    if (random_.Chance(1, 8)) spec->from_job = AnyJob(core);
    state::JobsSubmitted event;
    event.request_id = absl::StrCat("request-", submits_);
    event.request_digest = 1;
    event.jobs.push_back({absl::StrCat("job-", submits_ % 300), "name", spec});
    ++submits_;
    return event;
  }

  state::Event Join() {
    state::NodeJoined event;
    state::NodeOffer& offer = event.offer;
    offer.id = AnyNode();
    const auto index = static_cast<size_t>(offer.id.back() - '0');
    if (random_.Chance(1, 2)) ++incarnations_[index];
    offer.incarnation = absl::StrCat(incarnations_[index]);
    offer.name = offer.id;
    offer.cpus_milli = 4'000;
    offer.memory_bytes = int64_t{8} << 30;
    // Less for each job that has left something behind.
    offer.disk_free_bytes = random_.Between(3, 4) * kDiskUnit;
    offer.cached = SomeData();
    if (index % 2 == 0)
      offer.gpus = {{0, "h100", int64_t{80} << 30}, {1, "h100", int64_t{80} << 30}};
    // Three on one machine, without a network; three that are in one if the probes show it.
    offer.host_id = index < 3 ? "one" : absl::StrCat("host-", index);
    if (index >= 3) {
      offer.data_addresses = {absl::StrCat("10.0.0.", index)};
      offer.probe_port = 1000 + incarnations_[index];
    }
    offer.device_kind = index == 5 ? "avx2" : "avx512";
    offer.spot = index < 4;
    offer.price_usd_micro_per_hour = 10'000 * static_cast<int64_t>(1 + index % 3);
    return event;
  }

  // Rising: a node's, or what a job wants.
  std::vector<uint64_t> SomeData() {
    std::vector<uint64_t> data;
    for (uint64_t i = 1; i <= 2; ++i) {
      if (random_.Chance(1, 2)) data.push_back(i);
    }
    return data;
  }

  // Mostly what was asked for; some that is late, and news of what is cached.
  state::Event Probe(const Core& core) {
    const state::NodeId from = AnyNode();
    const auto node = core.state().nodes.find(from);
    if (node == core.state().nodes.end()) return state::TimerFired{};
    const std::string incarnation = node->second.offer.incarnation;
    if (random_.Chance(1, 8)) return state::NodeCached{from, incarnation, SomeData()};
    state::NodesProbed event;
    for (const auto& [id, one] : core.state().nodes) {
      if (random_.Chance(1, 6)) continue;
      state::NodeProbes told{.node = id, .incarnation = one.offer.incarnation, .results = {}};
      if (random_.Chance(1, 20)) told.incarnation += "?";
      for (const auto& [to, other] : core.state().nodes) {
        if (random_.Chance(1, 6)) continue;
        told.results.push_back({.to = to,
                                .port = other.offer.probe_port - (random_.Chance(1, 20) ? 1 : 0),
                                .error = random_.Chance(1, 8) ? "connection refused" : ""});
      }
      event.nodes.push_back(std::move(told));
    }
    return event;
  }

  state::Event Lose(const Core& core) {
    state::NodeLost event;
    event.node = AnyNode();
    const auto node = core.state().nodes.find(event.node);
    if (node != core.state().nodes.end()) event.incarnation = node->second.offer.incarnation;
    event.cause = "test";
    return event;
  }

  state::Event NodeWish() {
    const state::NodeId node = AnyNode();
    const std::string incarnation =
        absl::StrCat(incarnations_[static_cast<size_t>(node.back() - '0')]);
    switch (random_.Below(5)) {
      case 0:
        return state::NodeDrained{node, "test", 3'000};
      case 1:
        return state::NodeNoticed{node, incarnation, {"file", "preempt", 0, true, 0}};
      case 2:
        return state::NoticeWithdrawn{node, incarnation};
      default:
        return state::NodeUndrained{node};
    }
  }

  // Of a random rank of the job's newest attempt, sometimes with the token of another.
  bool Sender(const Core& core, state::TaskKey* key, state::NodeId* node) {
    const state::JobId id = AnyJob(core);
    const auto job = core.state().jobs.find(id);
    if (job == core.state().jobs.end() || job->second.history == nullptr) return false;
    if (job->second.history->attempts.empty()) return false;
    const state::Attempt& attempt = job->second.history->attempts.back();
    const auto rank = random_.Below(attempt.tasks.size());
    *key = {id, attempt.number, static_cast<int32_t>(rank), attempt.token};
    if (random_.Chance(1, 20)) --key->token;
    *node = attempt.tasks[rank].node;
    return true;
  }

  state::Event Report(const Core& core) {
    state::TaskReported event;
    if (!Sender(core, &event.task, &event.node)) return state::TimerFired{};
    event.incarnation = core.state().nodes.at(event.node).offer.incarnation;
    const uint64_t kind = random_.Below(12);
    event.stage = kind < 4    ? state::TaskStage::kPrepared
                  : kind < 8  ? state::TaskStage::kRunning
                  : kind < 9  ? state::TaskStage::kFirstStep
                  : kind < 11 ? state::TaskStage::kExited
                              : state::TaskStage::kFailed;
    event.at_ms = core.state().counters.now_ms - random_.Between(-50, 50);
    const int32_t codes[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 75, 76, -9};
    if (event.stage == state::TaskStage::kExited) event.exit_code = codes[random_.Below(12)];
    if (event.stage == state::TaskStage::kFailed) {
      event.error = "test";
      event.infrastructure = random_.Chance(1, 2);
      if (random_.Chance(1, 2)) {
        event.bad_checkpoint =
            core.state().jobs.at(event.task.job).history->attempts.back().resume_name;
      }
    }
    if (event.stage == state::TaskStage::kFirstStep) {
      event.first_step = 1;
      event.generation = AnyGeneration(core, event.task.job);
      event.generation_step = random_.Between(0, 100);
      event.generation_step_ms = random_.Chance(1, 4) ? 0 : event.at_ms;
    }
    event.last_step = static_cast<int64_t>(random_.Below(100));
    event.last_step_ms = event.at_ms;
    event.setup_ms = random_.Between(0, 200);
    event.restore_ms = random_.Between(0, 200);
    event.save_ms = random_.Between(0, 200);
    return event;
  }

  // Mostly the present one.
  uint64_t AnyGeneration(const Core& core, const state::JobId& job) {
    const state::Attempt& attempt = core.state().jobs.at(job).history->attempts.back();
    return attempt.generation - (random_.Chance(1, 6) ? random_.Below(2) : 0) +
           (random_.Chance(1, 20) ? 1 : 0);
  }

  // A gang of the kind that goes on without a member, if there is one.
  bool Gang(const Core& core, state::JobId* id) {
    std::vector<state::JobId> gangs;
    for (const auto& [job_id, job] : core.state().jobs) {
      const state::Attempt* attempt = job.LiveAttempt();
      const bool elastic = attempt != nullptr && job.spec->shards > 0 && job.spec->ranks_max > 1;
      if (elastic) gangs.push_back(job_id);
    }
    if (gangs.empty()) return false;
    // Mostly the same, which comes far.
    *id = gangs[random_.Chance(1, 8) ? random_.Below(gangs.size()) : 0];
    return true;
  }

  // What brings a gang on: its tasks prepare, run, finish steps, can be members, miss each other.
  state::Event GangEvent(const Core& core) {
    state::JobId id;
    if (!Gang(core, &id)) return Submit(core);
    const state::Attempt& attempt = *core.state().jobs.at(id).LiveAttempt();
    const state::Task& task = attempt.tasks[random_.Below(attempt.tasks.size())];
    const state::TaskKey key = {id, attempt.number, task.rank, attempt.token};
    const std::string incarnation = core.state().nodes.at(task.node).offer.incarnation;
    if (IsJoiner(task) && task.phase == state::TaskPhase::kRunning && random_.Chance(2, 3)) {
      return state::MemberReady{key, task.node, incarnation};
    }
    if (task.phase == state::TaskPhase::kRunning && random_.Chance(1, 10)) {
      return state::LossReported{
          .task = key,
          .node = task.node,
          .incarnation = incarnation,
          .generation = AnyGeneration(core, id),
          .lost_rank = static_cast<int32_t>(random_.Between(-1, attempt.world_size))};
    }
    state::TaskReported event;
    event.task = key;
    event.node = task.node;
    event.incarnation = incarnation;
    event.at_ms = core.state().counters.now_ms;
    event.stage = task.phase == state::TaskPhase::kPreparing  ? state::TaskStage::kPrepared
                  : task.phase == state::TaskPhase::kPrepared ? state::TaskStage::kRunning
                                                              : state::TaskStage::kFirstStep;
    const bool done = attempt.generation > 1 && attempt.elastic.first_step_ms != 0;
    if (done && random_.Chance(1, 6)) {
      event.stage = state::TaskStage::kExited;
      event.exit_code = random_.Chance(1, 3) ? 75 : 0;
    } else if (event.stage == state::TaskStage::kFirstStep) {
      event.first_step = 1;
      event.generation = AnyGeneration(core, id);
      event.generation_step = random_.Between(0, 100);
      event.generation_step_ms = event.at_ms;
      event.last_step = random_.Between(0, 100);
    }
    return event;
  }

  state::Event Upload(const Core& core) {
    state::CheckpointUploaded event;
    if (!Sender(core, &event.task, &event.node)) return state::TimerFired{};
    event.step = static_cast<int64_t>(random_.Below(60));
    event.name = absl::StrCat("step-", event.step);
    event.manifest_digest = absl::StrCat("digest-", random_.Below(2));
    event.taken_ms = core.state().counters.now_ms - random_.Between(0, 100);
    return event;
  }

  Random random_;
  int submits_ = 0;
  int incarnations_[kNodes] = {};
};

struct Ends {
  int64_t sweeps_succeeded = 0;
  int64_t sweeps_failed = 0;
  int64_t sweeps_cancelled = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;
  int64_t preemptions = 0;
  int64_t over_network = 0;   // attempts on several machines
  int64_t on_second = 0;      // attempts by an alternative that is not the first
  int64_t survived = 0;       // losses after which a step was finished
  int64_t joined = 0;         // tasks that joined a gang
  int64_t later_success = 0;  // in a later generation than the first
};

bool OverNetwork(const state::State& state, const state::Attempt& attempt) {
  return std::any_of(attempt.tasks.begin(), attempt.tasks.end(), [&](const state::Task& task) {
    return state.nodes.at(task.node).offer.host_id !=
           state.nodes.at(attempt.tasks.front().node).offer.host_id;
  });
}

void RunSeed(uint64_t seed, int events, Ends* ends) {
  SCOPED_TRACE(absl::StrCat("BATON_SEED=", seed));
  World world(seed);
  Random random(seed + 1);
  auto core = std::make_unique<Core>(state::State());
  auto twin = std::make_unique<Core>(state::State());
  InvariantChecker checker(*core);
  int64_t now_ms = 1'000'000;
  for (int i = 0; i < events; ++i) {
    if (i % 50 == 49) twin = std::make_unique<Core>(CopyOf(core->state()));
    now_ms += random.Chance(1, 30) ? random.Between(0, 20'000) : random.Between(0, 300);
    const bool due = core->NextDeadline() <= now_ms;
    const state::Event event = due ? state::Event(state::TimerFired{}) : world.Next(*core);
    const Outputs outputs = core->Step(event, now_ms);
    std::string wrong = checker.AfterStep(*core, event, outputs, now_ms);
    if (wrong.empty() && i % 100 == 0) wrong = checker.Everything(*core, now_ms);
    ASSERT_EQ(wrong, "") << "event " << i;
    ASSERT_EQ(TextOf(outputs), TextOf(twin->Step(event, now_ms))) << "event " << i;
  }
  for (const auto& [id, sweep] : core->state().sweeps) {
    ends->sweeps_succeeded += sweep.state == state::SweepState::kSucceeded;
    ends->sweeps_failed += sweep.state == state::SweepState::kFailed;
    ends->sweeps_cancelled += sweep.state == state::SweepState::kCancelled;
  }
  for (const auto& [id, job] : core->state().jobs) {
    ends->succeeded += job.state == state::JobState::kSucceeded;
    ends->failed += job.state == state::JobState::kFailed;
    if (job.history == nullptr) continue;
    ends->preemptions += job.history->preemptions;
    for (const state::Attempt& attempt : job.history->attempts) {
      ends->over_network += OverNetwork(core->state(), attempt);
      ends->on_second += attempt.alternative > 0;
      ends->survived += attempt.elastic.survived;
      for (const state::Task& task : attempt.tasks) ends->joined += task.joined > 1;
      ends->later_success += attempt.cause == state::EndCause::kSucceeded && attempt.generation > 1;
    }
  }
}

TEST(RandomEvents, KeepInvariantsAndDecideByTheStateAlone) {
  Ends ends;
  if (const char* seed = std::getenv("BATON_SEED"); seed != nullptr) {
    RunSeed(std::strtoull(seed, nullptr, 10), 20'000, &ends);
    return;
  }
  for (uint64_t seed = 1; seed <= 8 && !HasFatalFailure(); ++seed) RunSeed(seed, 3'200, &ends);
  // The events reach the interesting ends, or the test proves nothing.
  EXPECT_GT(ends.succeeded, 10);
  EXPECT_GT(ends.failed, 5);
  EXPECT_GT(ends.preemptions, 30);
  EXPECT_GT(ends.over_network, 3);
  EXPECT_GT(ends.on_second, 10);
  EXPECT_GT(ends.survived, 15);
  EXPECT_GT(ends.joined, 0);
  EXPECT_GT(ends.later_success, 0);
  EXPECT_GT(ends.sweeps_succeeded, 2);
  EXPECT_GT(ends.sweeps_failed, 2);
  EXPECT_GT(ends.sweeps_cancelled, 2);
}

}  // namespace
}  // namespace baton::core
