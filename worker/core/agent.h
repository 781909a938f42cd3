// The worker's decisions: one deterministic state machine without I/O, threads or clock. Events
// come from the link to the scheduler, the keeper, the uploader and the notice sources; effects are
// carried out by worker/daemon.
//
// What it holds to:
//  - A word of a lower term is refused. The wanted set is the law: what is not in it is killed,
//    what is missing is prepared and started; a task that has ended is never started again.
//  - A stop (the scheduler's, a certain notice, the worker's own end, a scheduler too long away) is
//    a deadline file, SIGTERM where it is caught, and SIGKILL shortly before the deadline.
//  - EXITED is told only once the last checkpoints are acknowledged and the outputs are uploaded,
//    or the node's end cut them off.
//  - A gang may change while its tasks run: the newest generation's members reach each task as it
//    starts, or while it runs.
//  - What is not acknowledged is told again after each reconnect.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/core/effect.h"
#include "worker/core/event.h"
#include "worker/core/notice_board.h"
#include "worker/core/pace.h"
#include "worker/core/task.h"

namespace baton::worker {

struct Now {
  int64_t unix_ms = 0;    // may jump; deadlines are in it
  int64_t steady_ms = 0;  // never goes back; intervals are in it
};

struct AgentOptions {
  int64_t detached_ms_max = 3'600'000;  // without a scheduler, then tasks are stopped
  int64_t progress_ms = 100;            // between two heartbeats that tell progress
  int64_t terminate_again_ms = 500;     // a process may begin to catch SIGTERM late
};

enum class Phase : uint8_t { kPreparing, kPrepared, kStarting, kRunning, kCollecting, kEnded };

struct Stop {
  int64_t deadline_ms = 0;
  std::string reason;
  bool operator==(const Stop&) const = default;
};

struct AgentTask {
  Wanted wanted;          // newest, with the spec
  bool is_wanted = true;  // in the newest wanted set
  Phase phase = Phase::kPreparing;
  Report report;      // the newest stage, and the facts of later ones
  TaskExited exited;  // from kCollecting on; told once all is collected
  int64_t exited_ms = 0;
  bool acked = false;      // the newest stage
  bool collected = false;  // nothing more comes from the uploader
  bool killed = false;
  std::optional<Stop> stop;   // as told to the task
  int64_t stop_since_ms = 0;  // unix
  int64_t start_due_ms = 0;   // steady; 0: not told to run
  int64_t terminated_ms = 0;  // steady, last time
  uint64_t generation = 0;    // of its membership file
  int64_t running_ms = 0;     // steady, since when
  StepPace pace;
  std::string hung;  // why it was killed; empty: it was not, for that
  bool progress_is_new = false;
  int32_t complaints = 0;                             // told
  std::map<std::string, UploadedCheckpoint> unacked;  // by name
};

class Agent {
 public:
  explicit Agent(const AgentOptions& options) : options_(options) {}

  // Effects are to be carried out in order.
  std::vector<Effect> Step(const Event& event, Now now);

  // Milliseconds from `now` after which a Tick is due.
  int64_t NextWake(Now now) const;

  const std::map<TaskKey, AgentTask>& tasks() const { return tasks_; }
  // A scheduler has answered this session's hello.
  bool connected() const { return welcome_; }

 private:
  // agent.cc: the link
  void On(const LinkUp&, Now now);
  void On(const LinkLost&, Now now);
  void On(const Welcomed& welcomed, Now now);
  void On(const WantedSet& set, Now now);
  void On(const ReportAcked& ack, Now now);
  void On(const CheckpointAcked& ack, Now now);
  // agent_task.cc: what tasks do
  void On(const TaskPrepared& prepared, Now now);
  void On(const TaskFailed& failed, Now now);
  void On(const TaskStarted& started, Now now);
  void On(const TaskComplained& complained, Now now);
  void On(const TaskProgressed& progressed, Now now);
  void On(const TaskExited& exited, Now now);
  void On(const TaskCollected& collected, Now now);
  void On(const CheckpointUploaded& uploaded, Now now);
  // agent_stop.cc: notices and time
  void On(const Noticed& noticed, Now now);
  void On(const ShutdownAsked& asked, Now now);
  void On(const Tick&, Now) {}

  bool AcceptTerm(uint64_t term);
  void Adopt(const Wanted& wanted, Now now);
  void Update(AgentTask& task, const Wanted& wanted, Now now);
  void Regroup(AgentTask& task);
  void Discard(AgentTask& task, Now now);
  void StartPrepared(AgentTask& task, Now now);
  void StartDue(Now now);
  void EndBeforeStart(AgentTask& task, Now now);
  void Fail(AgentTask& task, const TaskFailed& failed, Now now);
  void Tell(AgentTask& task, Stage stage, int64_t at_ms);
  void EndIfComplete(AgentTask& task, Now now);
  void ForgetEnded();
  bool FinishesFirstStep(AgentTask& task, const StepProgress& progress) const;
  void Heartbeat(Now now);
  int64_t HangTime(const AgentTask& task) const;
  void EndHung(Now now);
  void AskForSaves(const Notice& notice);
  void ApplyStops(Now now);
  void ApplyStop(AgentTask& task, Now now);
  void FinishIfDone(Now now);
  std::optional<Stop> WantedStop(const AgentTask& task, Now now) const;
  int64_t KillTime(const AgentTask& task) const;
  int64_t VanishTime() const;
  AgentTask* Find(const TaskKey& key);
  void Emit(Effect effect) { effects_.push_back(std::move(effect)); }

  const AgentOptions options_;
  std::map<TaskKey, AgentTask> tasks_;
  // Ended and forgotten: a late wanted set must not start them again.
  std::set<TaskKey> past_;
  std::deque<TaskKey> past_order_;

  uint64_t term_ = 0;
  uint64_t sequence_ = 0;
  bool link_up_ = false;
  bool welcome_ = false;      // this session's scheduler has answered
  bool was_welcome_ = false;  // one ever has
  int64_t lost_ms_ = 0;       // steady: when the last one went away
  int64_t welcomed_ms_ = 0;   // steady: when this one answered
  int64_t heartbeat_ms_ = 1000;
  int64_t heartbeat_sent_ms_ = 0;  // steady
  std::optional<Stop> detached_;   // the scheduler is too long away
  NoticeBoard notices_;            // by source
  std::optional<Stop> shutdown_;
  bool finished_ = false;

  std::vector<Effect> effects_;
};

}  // namespace baton::worker
