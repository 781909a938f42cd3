// What tasks do, and how it is told.
#include <algorithm>
#include <utility>

#include "worker/core/agent.h"

namespace baton::worker {
namespace {

constexpr int32_t kComplaintsMax = 8;
// So much later than rank 0 the other ranks of a program start: they meet where rank 0 listens, and
// PyTorch asks again only after a second when it comes too early, in about half of all starts.
constexpr int64_t kFollowMs = 150;

}  // namespace

void Agent::Tell(AgentTask& task, Stage stage, int64_t at_ms) {
  task.report.stage = stage;
  task.report.at_ms = at_ms;
  task.acked = false;
  if (link_up_) Emit(SendReport{task.report});
}

void Agent::On(const TaskPrepared& prepared, Now now) {
  AgentTask* task = Find(prepared.key);
  if (task == nullptr || task->phase != Phase::kPreparing) return;
  task->phase = Phase::kPrepared;
  task->report.address = prepared.address;
  task->report.port = prepared.port;
  task->report.setup_ms = prepared.setup_ms;
  task->report.restore_ms = prepared.restore_ms;
  task->report.data = prepared.data;
  task->report.environment_json = prepared.environment_json;
  if (task->killed) return EndBeforeStart(*task, now);
  Tell(*task, Stage::kPrepared, now.unix_ms);
  if (task->wanted.goal == Goal::kRun) StartPrepared(*task, now);
}

void Agent::StartPrepared(AgentTask& task, Now now) {
  if (task.start_due_ms != 0) return;
  const bool follows = task.wanted.key.rank != 0 && !task.wanted.spec->command.empty();
  task.start_due_ms = now.steady_ms + (follows ? kFollowMs : 0);
}

void Agent::StartDue(Now now) {
  for (auto& [key, task] : tasks_) {
    if (task.phase != Phase::kPrepared || task.start_due_ms == 0) continue;
    if (now.steady_ms < task.start_due_ms) continue;
    task.phase = Phase::kStarting;
    // A gang of one is told to run at once, before anybody knows its address. One that joins
    // another is not among the peers.
    std::vector<Peer>& peers = task.wanted.peers;
    if (task.wanted.world_size == 1 && (peers.empty() || peers[0].task == key.rank)) {
      peers = {{0, key.rank, "", task.report.address, task.report.port}};
    }
    task.generation = task.wanted.generation;
    Emit(Start{task.wanted});
  }
}

void Agent::On(const TaskFailed& failed, Now now) {
  AgentTask* task = Find(failed.key);
  if (task == nullptr || (task->phase != Phase::kPreparing && task->phase != Phase::kStarting)) {
    return;
  }
  if (task->killed) return EndBeforeStart(*task, now);
  Fail(*task, failed, now);
}

void Agent::Fail(AgentTask& task, const TaskFailed& failed, Now now) {
  task.phase = Phase::kEnded;
  task.report.error = failed.error;
  task.report.infrastructure = failed.infrastructure;
  task.report.bad_checkpoint = failed.bad_checkpoint;
  task.report.log_bytes = failed.log_bytes;
  Tell(task, Stage::kFailed, now.unix_ms);
}

void Agent::On(const TaskStarted& started, Now now) {
  AgentTask* task = Find(started.key);
  if (task == nullptr || task->phase != Phase::kStarting) return;
  task->phase = Phase::kRunning;
  task->running_ms = now.steady_ms;
  task->report.pid = started.pid;
  Tell(*task, Stage::kRunning, now.unix_ms);
}

// Told as the stage that it is in, with the complaint as its error: the scheduler makes a note of
// it.
void Agent::On(const TaskComplained& complained, Now) {
  AgentTask* task = Find(complained.key);
  if (task == nullptr || task->phase == Phase::kEnded) return;
  if (task->report.stage != Stage::kRunning && task->report.stage != Stage::kFirstStep) return;
  // A program may break a rule at each of its checkpoints; its log has all that it was told.
  if (task->complaints++ >= kComplaintsMax) return;
  task->report.error = complained.text;
  Tell(*task, task->report.stage, task->report.at_ms);
}

void Agent::On(const TaskProgressed& progressed, Now now) {
  const StepProgress& progress = progressed.progress;
  AgentTask* task = Find(progress.key);
  if (task == nullptr || task->phase == Phase::kEnded) return;
  task->pace.Saw(progress.step, progress.at_ms, progressed.touched_ms, now.steady_ms);
  if (progress.step <= 0) return;
  Report& report = task->report;
  if (progress.step != report.last_step || progress.save_ms != report.save_ms) {
    report.last_step = progress.step;
    report.last_step_ms = progress.at_ms;
    report.save_ms = progress.save_ms;
    task->progress_is_new = true;
  }
  const bool is_first = FinishesFirstStep(*task, progress);
  if (is_first && task->phase == Phase::kRunning) Tell(*task, Stage::kFirstStep, now.unix_ms);
}

// Its first step, or the first one of a generation. Steps are looked at ten times a second: the
// first one seen need not be the first one done.
bool Agent::FinishesFirstStep(AgentTask& task, const StepProgress& progress) const {
  Report& report = task.report;
  const bool says_generation = progress.generation != 0;
  // What it holds when it forms a generation was done by others, or before.
  if (says_generation && progress.step <= progress.generation_step) return false;
  const bool is_new_generation = progress.generation > report.generation;
  if (report.first_step != 0 && !is_new_generation) return false;
  if (is_new_generation) {
    report.generation = progress.generation;
    report.generation_step = progress.generation_step;
    report.generation_step_ms = progress.at_ms;
  }
  if (report.first_step != 0) return true;
  // A checkpoint may not say its step.
  const Resume& resume = task.wanted.resume;
  const bool begins_anywhere = resume.step == 0 && !resume.manifest_digest.empty();
  const int64_t begin = says_generation ? progress.generation_step : resume.step;
  report.first_step = begins_anywhere && !says_generation
                          ? progress.step
                          : std::min(progress.step, std::max<int64_t>(begin, 0) + 1);
  report.first_step_ms = progress.at_ms;
  return true;
}

void Agent::On(const TaskExited& exited, Now now) {
  AgentTask* task = Find(exited.key);
  if (task == nullptr || (task->phase != Phase::kStarting && task->phase != Phase::kRunning)) {
    return;
  }
  task->phase = Phase::kCollecting;
  task->exited = exited;
  if (!task->hung.empty()) task->exited.error = task->hung;
  task->exited_ms = now.unix_ms;
  Emit(Collect{exited.key, task->is_wanted ? VanishTime() : now.unix_ms, task->is_wanted,
               exited.code == 0});
}

void Agent::On(const TaskCollected& collected, Now now) {
  AgentTask* task = Find(collected.key);
  if (task == nullptr || task->phase != Phase::kCollecting) return;
  task->collected = true;
  task->report.output_digest = collected.output_digest;
  task->report.output_bytes = collected.output_bytes;
  task->report.log_bytes = collected.log_bytes;
  task->report.metrics_bytes = collected.metrics_bytes;
  TaskExited& exited = task->exited;
  // A success whose result is lost is none, and the program is not to blame.
  exited.infrastructure |= exited.code == 0 && collected.output_missing;
  // What was killed here did not die of anything else.
  if (!task->killed && exited.error.empty() && !collected.out_of_memory.empty()) {
    exited.error = collected.out_of_memory;
    exited.cause = "out-of-memory";
  }
  if (!task->killed && exited.error.empty() && !collected.runtime_failed.empty()) {
    exited.error = collected.runtime_failed;
    exited.infrastructure = true;
  }
  const bool failed_by_itself = exited.code > 0 && exited.error.empty();
  if (failed_by_itself) exited.error = collected.last_words;
  if (exited.error.empty()) exited.error = collected.error;
  EndIfComplete(*task, now);
}

// The last checkpoint counts only if the scheduler hears of it before it hears of the end, also
// when the link breaks between the two: so the end waits for the checkpoint's acknowledgement.
void Agent::EndIfComplete(AgentTask& task, Now) {
  if (task.phase != Phase::kCollecting || !task.collected || !task.unacked.empty()) return;
  task.phase = Phase::kEnded;
  task.report.exit_code = task.exited.code;
  task.report.error = task.exited.error;
  task.report.infrastructure = task.exited.infrastructure;
  task.report.exit_cause = task.exited.cause;
  // When it ended, not when its outputs were uploaded: it is billed until then.
  Tell(task, Stage::kExited, task.exited_ms);
}

void Agent::On(const CheckpointUploaded& uploaded, Now) {
  const UploadedCheckpoint& checkpoint = uploaded.checkpoint;
  AgentTask* task = Find(checkpoint.key);
  if (task == nullptr || !task->is_wanted || task->phase == Phase::kEnded) {
    Emit(RemoveCheckpoint{checkpoint.key, checkpoint.name, "its task is over"});
    return;
  }
  task->unacked[checkpoint.name] = checkpoint;
  if (link_up_) Emit(SendCheckpoint{checkpoint});
}

}  // namespace baton::worker
