// What members of a gang and those that are to join it say, and what becomes of the latter.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/fence.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/regroup.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

constexpr int32_t kDoublingsMax = 7;  // about an hour
// Each is stored with its job: what a large gang in two halves says beyond so many is not needed to
// know that it is in two.
constexpr size_t kAccusationsMax = 4096;

bool IsLiveJoiner(const Task& task) { return IsJoiner(task) && !HasEnded(task); }

}  // namespace

absl::Status Machine::On(const state::LossReported& event) {
  const auto fenced = Fence(state_, event.task, event.node, event.incarnation);
  if (!fenced.ok()) return fenced.status();
  Job& job = *fenced->job;
  Attempt& attempt = *fenced->attempt;
  const bool runs = job.state == JobState::kRunning || job.state == JobState::kRescaling;
  const bool counts = runs && job.spec->shards > 0 && event.generation == attempt.generation &&
                      IsMember(attempt, event.task.rank) && !HasEnded(*fenced->task) &&
                      event.lost_rank >= 0 && event.lost_rank < attempt.world_size;
  if (!counts) return absl::OkStatus();
  const state::Accusation said = {event.task.rank,
                                  attempt.members[static_cast<size_t>(event.lost_rank)]};
  state::Elastic& elastic = attempt.elastic;
  const bool known = std::find(elastic.accusations.begin(), elastic.accusations.end(), said) !=
                     elastic.accusations.end();
  const bool too_many = elastic.accusations.size() >= kAccusationsMax;
  if (known || too_many || said.by == said.of) return absl::OkStatus();
  const bool first_word =
      std::none_of(elastic.accusations.begin(), elastic.accusations.end(),
                   [&](const state::Accusation& earlier) { return earlier.by == said.by; });
  elastic.accusations.push_back(said);
  if (elastic.accused_ms == 0) elastic.accused_ms = now_ms_;
  MarkJob(job);
  // What else it says waits for the others, or for the end of the time that they have.
  if (first_word) Judge(&job);
  return absl::OkStatus();
}

absl::Status Machine::On(const state::MemberReady& event) {
  const auto fenced = Fence(state_, event.task, event.node, event.incarnation);
  if (!fenced.ok()) return fenced.status();
  Task& task = *fenced->task;
  if (!IsLiveJoiner(task) || task.ready) return absl::OkStatus();
  task.ready = true;
  task.deadline_ms = 0;
  MarkJob(*fenced->job);
  AdmitIfReady(fenced->job);
  return absl::OkStatus();
}

// The first step of the present generation is finished.
void Machine::OnGenerationStep(Job* job, int64_t formed_with_step, int64_t at_ms) {
  Attempt& attempt = *job->LiveAttempt();
  state::Elastic& elastic = attempt.elastic;
  if (elastic.first_step_ms != 0) return;
  elastic.first_step_ms = at_ms;
  elastic.stepped = true;
  elastic.barren = 0;
  const int64_t steps_lost = std::max<int64_t>(0, elastic.reached_step - formed_with_step);
  bool survived = false;
  for (state::Loss& loss : job->history->losses) {
    if (loss.attempt != attempt.number || loss.recovery_ms >= 0) continue;
    loss.steps_lost = steps_lost;
    loss.recovery_ms = std::max<int64_t>(0, at_ms - loss.at_ms);
    ++elastic.survived;
    survived = true;
  }
  if (survived) job->history->steps_lost += steps_lost;
  CloseRecovery(job, at_ms);
  if (job->state == JobState::kRescaling) Move(job, JobState::kRunning);
  MarkJob(*job);
  AdmitIfReady(job);
}

// All that are to join are ready or have ended: those of use become members. Not before the present
// generation has finished a step: one forms at a time.
void Machine::AdmitIfReady(Job* job) {
  Attempt* attempt = job->LiveAttempt();
  if (attempt == nullptr || job->state != JobState::kRunning) return;
  if (attempt->elastic.first_step_ms == 0 || !attempt->elastic.accusations.empty()) return;
  std::vector<const Task*> candidates;
  for (const int32_t member : attempt->members) {
    candidates.push_back(&attempt->tasks[static_cast<size_t>(member)]);
    if (HasEnded(*candidates.back())) return;
  }
  for (const Task& task : attempt->tasks) {
    if (!IsLiveJoiner(task)) continue;
    if (!task.ready || task.phase != TaskPhase::kRunning) return;
    candidates.push_back(&task);
  }
  if (candidates.size() == attempt->members.size()) return;
  const std::vector<int32_t> next = policy::ChooseMembers(*job->spec, candidates);
  std::vector<std::string> joined;
  for (Task& task : attempt->tasks) {
    if (!IsLiveJoiner(task)) continue;
    if (std::binary_search(next.begin(), next.end(), task.rank)) {
      joined.push_back(absl::StrCat(task.rank, " on ", NodeName(task.node)));
      continue;
    }
    task.error = "no longer needed";
    task.exit_code = kExitUnknown;
    EndTask(job, &task, TaskPhase::kLost, now_ms_);
  }
  if (joined.empty()) return;
  attempt->elastic.joiners_failed = 0;
  Say(*job, "joined",
      absl::StrCat(joined.size() == 1 ? "task " : "tasks ", absl::StrJoin(joined, ", "),
                   joined.size() == 1 ? " joins" : " join", " after the step that is under way"));
  BeginGeneration(job, next);
}

// All members but those that have just joined have succeeded, in a generation that has not finished
// a step: the training was over in the one before, and nobody forms this one any more.
void Machine::DropNewcomers(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  if (attempt.generation <= 1 || attempt.elastic.first_step_ms != 0) return;
  std::vector<int32_t> done;
  for (const int32_t member : attempt.members) {
    const Task& task = attempt.tasks[static_cast<size_t>(member)];
    const bool succeeded = task.phase == TaskPhase::kExited && task.exit_code == 0;
    if (succeeded) done.push_back(member);
    if (!succeeded && (HasEnded(task) || task.joined != attempt.generation)) return;
  }
  if (done.empty() || done.size() == attempt.members.size()) return;
  for (const int32_t member : attempt.members) {
    Task& task = attempt.tasks[static_cast<size_t>(member)];
    if (HasEnded(task)) continue;
    task.error = "the training was over before it joined";
    task.exit_code = kExitUnknown;
    EndTask(job, &task, TaskPhase::kLost, now_ms_);
  }
  attempt.members = done;
  attempt.world_size = static_cast<int32_t>(done.size());
  MarkJob(*job);
}

// Growth is tried again later, each time after twice as long.
void Machine::JoinerFailed(Job* job, const Task& task) {
  state::Elastic& elastic = job->LiveAttempt()->elastic;
  const int64_t wait_ms = kGrowAgainMs << std::min(elastic.joiners_failed, kDoublingsMax);
  ++elastic.joiners_failed;
  elastic.grow_after_ms = std::max(elastic.grow_after_ms, now_ms_ + wait_ms);
  MarkJob(*job);
  const std::string how =
      !task.error.empty() ? task.error : absl::StrCat("it exited with code ", task.exit_code);
  Say(*job, "join-failed",
      absl::StrCat("task ", task.rank, " on ", NodeName(task.node), " does not join: ", how,
                   "; not tried again for ", wait_ms / 1000, " s"));
}

// One that is to join is given up, and killed.
void Machine::EndJoiner(Job* job, Task* task, const std::string& why) {
  task->error = why;
  task->exit_code = kExitUnknown;
  EndTask(job, task, TaskPhase::kLost, now_ms_);
  JoinerFailed(job, *task);
}

// A task that is no member has ended: it never fails its attempt.
void Machine::OnOtherEnded(Job* job, const Task& task) {
  if (IsJoiner(task)) JoinerFailed(job, task);
  AdmitIfReady(job);
  FinishIfOver(job);
}

// Tasks that should have joined or left by now.
void Machine::EndLateTasks(Job* job) {
  bool ended = false;
  for (Task& task : job->LiveAttempt()->tasks) {
    const bool due =
        task.deadline_ms != 0 && !HasEnded(task) && now_ms_ >= Effective(task.deadline_ms);
    if (!due) continue;
    ended = true;
    if (IsJoiner(task)) {
      EndJoiner(job, &task, "was not ready in time");
      continue;
    }
    task.error = "killed: it did not leave in time";
    task.exit_code = kExitUnknown;
    EndTask(job, &task, TaskPhase::kLost, now_ms_);
    Say(*job, "killed",
        absl::StrCat("task ", task.rank, " on ", NodeName(task.node), " had not left in time"));
  }
  if (!ended) return;
  AdmitIfReady(job);
  FinishIfOver(job);
}

void Machine::EndJoiners(Job* job, const std::string& why) {
  for (Task& task : job->LiveAttempt()->tasks) {
    if (!IsLiveJoiner(task)) continue;
    task.error = why;
    task.exit_code = kExitUnknown;
    EndTask(job, &task, TaskPhase::kLost, now_ms_);
  }
}

}  // namespace baton::core
