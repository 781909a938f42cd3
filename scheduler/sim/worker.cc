#include "scheduler/sim/worker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace baton::sim {

using state::TaskKey;
using state::TaskStage;
using state::WantedTask;

Worker::Worker(Context& context, Fabric& fabric, state::NodeOffer offer)
    : context_(context), fabric_(fabric), offer_(std::move(offer)) {}

Worker::Task* Worker::Find(const TaskKey& key) {
  const auto job = tasks_.find(key.job);
  if (job == tasks_.end()) return nullptr;
  const auto task = job->second.find(key.rank);
  return task != job->second.end() && task->second.wanted.task == key ? &task->second : nullptr;
}

Worker::Task* Worker::Find(const TaskKey& key, uint64_t serial) {
  Task* task = Find(key);
  return task != nullptr && task->serial == serial ? task : nullptr;
}

void Worker::Start() {
  alive_ = true;
  offer_.incarnation = absl::StrCat(offer_.name, "-", ++incarnation_);
  offer_.probe_port = static_cast<int32_t>(10'000 + incarnation_);
  notice_.reset();
  Connect();
}

void Worker::Connect() {
  if (!alive_ || connection_ != 0) return;
  if (context_.now_ms() >= vanished_until_ms_) connection_ = fabric_.Connect(this);
  if (connection_ == 0) {
    context_.agenda.In(context_.random.Between(200, 2000), [this] { Connect(); });
    return;
  }
  state::NodeJoined hello;
  hello.offer = offer_;
  hello.notice = notice_;
  for (auto& [job, ranks] : tasks_) {
    for (auto& [rank, task] : ranks) {
      if (task.report.task.token != 0) hello.tasks.push_back(task.report);
    }
  }
  Say(hello);
}

void Worker::Say(const ToScheduler& message) {
  if (connection_ != 0) fabric_.Say(connection_, message);
}

void Worker::Die(bool told) {
  if (!alive_) return;
  alive_ = false;
  // Peers notice before anybody else.
  for (const auto& [job, ranks] : tasks_) {
    for (const auto& [rank, task] : ranks) {
      if (task.stage == Stage::kRunning) fabric_.GangBroken(task.wanted.task);
    }
  }
  tasks_.clear();
  ended_.clear();
  sequence_ = 0;
  if (connection_ != 0) fabric_.Gone(connection_, told);
  connection_ = 0;
}

void Worker::Leave() {
  if (!alive_) return;
  Say(Goodbye());
  Die(true);
}

void Worker::Vanish(int64_t duration_ms) {
  vanished_until_ms_ = context_.now_ms() + duration_ms;
  if (connection_ == 0) return;
  fabric_.Gone(connection_, /*told=*/false);
  connection_ = 0;
  context_.agenda.In(duration_ms, [this] { Connect(); });
}

void Worker::Notice(const state::Notice& notice) {
  notice_ = notice;
  Say(state::NodeNoticed{.node = offer_.id, .incarnation = offer_.incarnation, .notice = notice});
}

void Worker::Withdraw() {
  notice_.reset();
  Say(state::NoticeWithdrawn{.node = offer_.id, .incarnation = offer_.incarnation});
}

void Worker::Disconnected(uint64_t connection) {
  if (connection == 0 || connection != connection_) return;
  connection_ = 0;
  context_.agenda.In(context_.random.Between(100, 3000), [this] { Connect(); });
}

void Worker::Hear(uint64_t connection, const ToWorker& message) {
  if (connection != connection_) return;
  if (const auto* wanted = std::get_if<Wanted>(&message)) {
    Follow(*wanted);
  } else if (const auto* probe = std::get_if<state::ProbeNodes>(&message)) {
    Probe(*probe);
  } else if (const auto* ack = std::get_if<state::AckReport>(&message)) {
    Task* task = Find(ack->task);
    if (task == nullptr || ack->stage < task->report.stage) return;
    task->reported = false;
    if (task->stage == Stage::kEnded) Kill(ack->task);
  } else if (const auto* checkpoint = std::get_if<state::AckCheckpoint>(&message)) {
    Task* task = Find(checkpoint->task);
    if (task != nullptr) task->uploads.erase(checkpoint->name);
    context_.probes.Hit(checkpoint->committed ? "checkpoint committed" : "checkpoint refused");
  }
}

// Each answer by itself, as they come.
void Worker::Probe(const state::ProbeNodes& asked) {
  for (const state::ProbeTarget& target : asked.targets) {
    const std::string error = fabric_.Dial(offer_.id, target);
    context_.probes.Hit(error.empty() ? "probe answered" : "probe failed");
    context_.agenda.In(
        error.empty() ? context_.random.Between(1, 50) : context_.random.Between(1, 2000),
        [this, target, error, incarnation = offer_.incarnation] {
          Say(state::NodesProbed{{{offer_.id, incarnation, {{target.node, target.port, error}}}}});
        });
  }
}

void Worker::Follow(const Wanted& wanted) {
  if (wanted.term < term_) {
    context_.probes.Hit("lower term refused");
    return;
  }
  if (wanted.term > term_) sequence_ = 0;
  term_ = wanted.term;
  if (wanted.sequence <= sequence_) {
    context_.probes.Hit("older wanted set ignored");
    return;
  }
  sequence_ = wanted.sequence;
  std::vector<TaskKey> unwanted;
  for (const auto& job : tasks_) {
    for (const auto& rank : job.second) {
      const TaskKey& key = rank.second.wanted.task;
      const bool wants = std::any_of(wanted.tasks.begin(), wanted.tasks.end(),
                                     [&key](const WantedTask& w) { return w.task == key; });
      if (!wants && rank.second.stage != Stage::kEnded) unwanted.push_back(key);
    }
  }
  for (const TaskKey& key : unwanted) {
    context_.probes.Hit("unwanted task killed");
    Kill(key);
  }
  for (const WantedTask& task : wanted.tasks) {
    if (Task* known = Find(task.task); known != nullptr) {
      known->wanted = task;
      Pursue(known);
    } else if (ended_[task.task.job] < task.task.token) {
      Begin(task);
    }
  }
  CheckDevices();
}

void Worker::Begin(const WantedTask& wanted) {
  Task& task = tasks_[wanted.task.job][wanted.task.rank];
  task = Task();
  task.wanted = wanted;
  task.program = ProgramOf(*wanted.spec);
  task.serial = ++serial_;
  task.setup_ms = context_.random.Between(10, 4000);
  In(task.setup_ms, task, [this](Task* then) { Prepared(then); });
}

void Worker::Prepared(Task* task) {
  if (task->stage != Stage::kPreparing) return;
  if (task->program.fate == Fate::kBadStart) return Fail(task, false, "no such program");
  if (context_.Chance(context_.chaos.sick_start)) {
    context_.probes.Hit("start failed for the node's sake");
    return Fail(task, true, "the disk is full");
  }
  task->stage = Stage::kPrepared;
  Report(task, TaskStage::kPrepared);
  Pursue(task);
}

void Worker::Pursue(Task* task) {
  if (task->wanted.goal == state::Goal::kStop) {
    // It is told who goes on without it.
    const bool let_go = !task->wanted.peers.empty() && task->wanted.spec->shards > 0;
    if (task->stage == Stage::kRunning) let_go ? LeaveGang(task) : StopSoon(task);
    if (task->stage == Stage::kPreparing || task->stage == Stage::kPrepared) End(task, -15);
  } else if (task->wanted.goal == state::Goal::kRun && task->stage == Stage::kPrepared) {
    Run(task);
  } else if (task->wanted.goal == state::Goal::kRun) {
    Regroup(task);
  }
}

void Worker::Run(Task* task) {
  task->stage = Stage::kRunning;
  task->started_ms = context_.now_ms() + context_.random.Between(0, 1500);
  task->base_step = task->wanted.resume_step;
  for (const state::Peer& peer : task->wanted.peers) task->members.push_back(peer.task);
  const bool joins = RankOf(*task, task->wanted.task.rank) < 0;
  if (joins) {
    task->members.clear();
    task->held = true;
  } else {
    task->generation = task->wanted.generation;
    task->formed = task->wanted.generation;
  }
  Report(task, TaskStage::kRunning);
  joins ? RunJoiner(task) : Train(task);
}

// From the steps that it has to the end, or until something comes between.
void Worker::Train(Task* task) {
  ++task->epoch;
  const Program& program = task->program;
  const int64_t begin_ms = task->started_ms - context_.now_ms();
  const int64_t from = task->wanted.resume_step;
  const bool bad = program.Misbehaves(task->wanted.task.attempt);
  // A bad one ends in mid-way.
  const int64_t steps = std::max<int64_t>(program.steps - from, 0);
  const int64_t last = std::max(from + (bad ? steps / 2 : steps), task->base_step);
  const auto at = [&](int64_t step) {
    return begin_ms + (step - task->base_step) * program.step_ms;
  };
  if (last > task->base_step) {
    InEpoch(at(task->base_step + 1), *task,
            [this](Task* then) { Report(then, TaskStage::kFirstStep); });
  }
  for (int64_t step = from + program.steps_per_checkpoint; step <= last;
       step += program.steps_per_checkpoint) {
    if (step <= task->base_step) continue;
    InEpoch(at(step), *task, [this, step](Task* then) { TakeCheckpoint(then, step); });
  }
  InEpoch(at(last) + 1, *task, [this, bad](Task* then) {
    if (then->stopping || then->leaving) return;
    End(then, bad ? then->program.BadExit() : 0);
  });
}

void Worker::TakeCheckpoint(Task* task, int64_t step) {
  if (task->stage != Stage::kRunning) return;
  // Any rank may write it; the bytes are the same.
  if (task->wanted.task.rank != 0 && !context_.random.Chance(1, 4)) return;
  state::CheckpointUploaded upload;
  upload.task = task->wanted.task;
  upload.node = offer_.id;
  upload.name = absl::StrCat("step-", step);
  upload.step = step;
  upload.bytes = 1000;
  upload.manifest_digest = absl::StrCat("digest of ", upload.task.job, " ", step);
  upload.taken_ms = context_.now_ms();
  task->uploads[upload.name] = upload;
  RepeatUpload(task->wanted.task, task->serial, upload.name);
}

void Worker::RepeatUpload(const TaskKey& key, uint64_t serial, const std::string& name) {
  Task* task = Find(key, serial);
  if (task == nullptr || task->uploads.count(name) == 0) return;
  Say(task->uploads.at(name));
  context_.agenda.In(3000, [this, key, serial, name] { RepeatUpload(key, serial, name); });
}

void Worker::StopSoon(Task* task) {
  const int64_t left_ms = std::max<int64_t>(task->wanted.stop_deadline_ms - context_.now_ms(), 0);
  // A nearer deadline than the one before is kept too.
  In(left_ms, *task, [this](Task* then) { End(then, -9); });
  if (task->stopping || !task->program.catches_sigterm) return;
  task->stopping = true;
  In(context_.random.Between(10, 3000), *task, [this](Task* then) {
    if (then->stage != Stage::kRunning || then->frozen) return;
    if (then->formed > 0) TakeCheckpoint(then, StepOf(*then));
    End(then, 75);
  });
}

void Worker::End(Task* task, int32_t exit_code) {
  if (task->stage == Stage::kEnded) return;
  if (exit_code != 0 && task->stage == Stage::kRunning) fabric_.GangBroken(task->wanted.task);
  Report(task, TaskStage::kExited);
  task->report.exit_code = exit_code;
  if (exit_code == 0) task->report.output_digest = "output of " + task->wanted.task.job;
  task->stage = Stage::kEnded;
}

void Worker::Fail(Task* task, bool infrastructure, const std::string& error) {
  Report(task, TaskStage::kFailed);
  task->report.infrastructure = infrastructure;
  task->report.error = error;
  task->stage = Stage::kEnded;
}

void Worker::Kill(const TaskKey& key) {
  Task* task = Find(key);
  if (task == nullptr) return;
  if (task->stage == Stage::kRunning) fabric_.GangBroken(key);
  ended_[key.job] = std::max(ended_[key.job], key.token);
  auto& ranks = tasks_[key.job];
  ranks.erase(key.rank);
  if (ranks.empty()) tasks_.erase(key.job);
}

void Worker::PeerLost(const TaskKey& lost) {
  const auto job = tasks_.find(lost.job);
  if (job == tasks_.end()) return;
  for (const auto& [rank, task] : job->second) {
    if (task.wanted.task.token != lost.token || rank == lost.rank) continue;
    if (task.stage != Stage::kRunning) continue;
    if (task.wanted.spec->shards > 0) {
      Misses(task.wanted.task, lost.rank);
      continue;
    }
    In(context_.random.Between(5, 2500), task, [this](Task* then) {
      if (then->stage == Stage::kRunning && !then->stopping) End(then, 76);
    });
  }
}

int64_t Worker::StepOf(const Task& task) const {
  if (task.held) return task.held_step;
  const int64_t ran_ms = std::max<int64_t>(context_.now_ms() - task.started_ms, 0);
  const int64_t last = std::max(task.program.steps, task.base_step);
  return std::min(task.base_step + ran_ms / task.program.step_ms, last);
}

void Worker::Report(Task* task, TaskStage stage) {
  if (task->stage == Stage::kEnded) return;
  state::TaskReported& report = task->report;
  report.task = task->wanted.task;
  report.node = offer_.id;
  report.incarnation = offer_.incarnation;
  report.stage = stage;
  report.at_ms = context_.now_ms();
  report.setup_ms = task->setup_ms;
  report.address = offer_.data_addresses.front();
  report.port = 20'000 + task->wanted.task.rank;
  if (task->stage == Stage::kRunning && !task->held && StepOf(*task) > task->base_step) {
    const int64_t first_ms = task->started_ms + task->program.step_ms;
    if (task->first_step == 0) {
      task->first_step = task->base_step + 1;
      task->first_step_ms = first_ms;
    }
    report.first_step = task->first_step;
    report.first_step_ms = task->first_step_ms;
    report.last_step = StepOf(*task);
    report.last_step_ms =
        task->started_ms + (report.last_step - task->base_step) * task->program.step_ms;
    report.generation = task->formed;
    report.generation_step = task->base_step;
    report.generation_step_ms = first_ms;
  }
  task->reported = true;
  // At the end of this moment, when the report is complete.
  context_.agenda.In(
      0, [this, key = task->wanted.task, serial = task->serial] { Repeat(key, serial); });
}

void Worker::Repeat(const TaskKey& key, uint64_t serial) {
  Task* task = Find(key, serial);
  if (task == nullptr || !task->reported) return;
  Say(task->report);
  context_.agenda.In(4000, [this, key, serial, stage = task->report.stage] {
    Task* then = Find(key, serial);
    if (then != nullptr && then->report.stage == stage) Repeat(key, serial);
  });
}

std::vector<state::LastHeard> Worker::Progress() const {
  std::vector<state::LastHeard> progress;
  for (const auto& [job, ranks] : tasks_) {
    for (const auto& [rank, task] : ranks) {
      const int64_t step = StepOf(task);
      if (task.stage != Stage::kRunning || task.held || step <= task.base_step) continue;
      progress.push_back(
          {.task = task.wanted.task,
           .step = step,
           .step_ms = task.started_ms + (step - task.base_step) * task.program.step_ms});
    }
  }
  return progress;
}

// The worker would start what it is told to: two tasks on one device are the scheduler's fault.
void Worker::CheckDevices() {
  std::set<int32_t> gpus;
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  for (const auto& [job, ranks] : tasks_) {
    for (const auto& [rank, task] : ranks) {
      if (task.stage == Stage::kEnded) continue;
      const state::Resources& need = state::NeedOf(*task.wanted.spec, task.wanted.alternative);
      cpus_milli += need.cpus_milli;
      memory_bytes += need.memory_bytes;
      for (const int32_t gpu : task.wanted.gpus) {
        if (!gpus.insert(gpu).second) {
          context_.Fail(absl::StrCat("GPU ", gpu, " of ", offer_.name, " is used twice, now by ",
                                     job, " rank ", rank));
        }
      }
    }
  }
  if (cpus_milli > offer_.cpus_milli || memory_bytes > offer_.memory_bytes) {
    context_.Fail(absl::StrCat(offer_.name, " was told to run more than it holds"));
  }
}

}  // namespace baton::sim
