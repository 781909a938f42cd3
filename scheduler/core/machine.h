// The state machine behind Core: the state, the indexes over it and one handler per event, each
// family in its own file. Internal to scheduler/core.
//
// A handler checks first and changes nothing when it refuses. All changes go through the few
// mutators below, which keep indexes, ledgers and the lists of changed records in step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/core/deadlines.h"
#include "scheduler/core/queue.h"
#include "scheduler/core/step.h"
#include "scheduler/policy/fleet.h"
#include "scheduler/policy/placement.h"
#include "scheduler/policy/progress.h"
#include "scheduler/state/state.h"

namespace baton::core {

// Why and until when an attempt is to stop.
struct StopOrder {
  state::Intent intent = state::Intent::kRequeue;
  state::EndCause cause = state::EndCause::kNone;  // kNone: as the exits say
  int64_t deadline_ms = 0;
  std::string reason;
};

// No joiners for so long after one has failed, at first.
inline constexpr int64_t kGrowAgainMs = 30'000;
// Of a loss (state::Loss): its gang's members said it, and nobody knew yet why.
inline constexpr char kByPeers[] = "peers";
// An attempt that has had so many tasks gets no joiners more, and ends at its next loss.
inline constexpr size_t kTasksMax = 256;
// For a notice whose deadline has passed already: the node may go at any moment, and so much is
// worth trying.
inline constexpr int64_t kNoticeLeastMs = 1'000;
// A commit is small enough for etcd (100 puts): a pass that could start more is cut short, and goes
// on as soon as the timer comes, which is at once.
inline constexpr int kStartsPerStep = 24;

class Machine {
 public:
  explicit Machine(state::State initial);

  // step.cc
  Outputs Step(const state::Event& event, int64_t now_ms);
  int64_t NextDeadline() const;
  const state::State& state() const { return state_; }

  // wanted.cc
  std::vector<state::WantedTask> Wanted(const state::NodeId& node) const;

  // explain.cc
  std::string Explain(const state::JobId& job, int64_t now_ms) const;

  // accounts.cc
  state::Phases PhasesAt(const state::Job& job, int64_t now_ms) const;
  Core::Cost CostAt(const state::Job& job, int64_t now_ms) const;
  Core::AtRisk AtRiskAt(const state::Job& job, int64_t now_ms) const;
  int64_t PaidUntil(const state::Task& task, int64_t now_ms) const;

 private:
  // One handler per event; the status is the answer.
  absl::Status On(const state::SchedulerStarted& event);
  absl::Status On(const state::JobsSubmitted& event);
  absl::Status On(const state::JobCancelled& event);
  absl::Status On(const state::JobRetried& event);
  absl::Status On(const state::NodeJoined& event);
  absl::Status On(const state::NodeLost& event);
  absl::Status On(const state::NodeDrained& event);
  absl::Status On(const state::NodeUndrained& event);
  absl::Status On(const state::NodeNoticed& event);
  absl::Status On(const state::NoticeWithdrawn& event);
  absl::Status On(const state::TaskReported& event);
  absl::Status On(const state::CheckpointUploaded& event);
  absl::Status On(const state::TimerFired& event);
  absl::Status On(const state::JobPaused& event);
  absl::Status On(const state::JobResumed& event);
  absl::Status On(const state::JobDeleted& event);
  absl::Status On(const state::SweepSubmitted& event);
  absl::Status On(const state::SweepStopped& event);
  absl::Status On(const state::TrialSuggested& event);
  absl::Status On(const state::TrialReported& event);
  absl::Status On(const state::NodesProbed& event);
  absl::Status On(const state::NodeCached& event);
  absl::Status On(const state::SweepDeleted& event);
  absl::Status On(const state::LossReported& event);
  absl::Status On(const state::MemberReady& event);

  // job_events.cc
  absl::Status CheckSubmit(const state::JobsSubmitted& event) const;
  state::Job* AddJob(const state::NewJob& submitted,
                     const std::shared_ptr<const state::Submitter>& submitter,
                     uint64_t request_digest);
  void DeleteJob(const state::Job& job);
  void ForgetDeleted();
  absl::Status CouldEverRun(const state::JobSpec& spec) const;

  // sweep_events.cc
  state::Sweep* TouchSweep(const state::SweepId& id);
  void MarkTrial(const state::Trial& trial, const state::Sweep& sweep);
  void SaySweep(const state::Sweep& sweep, absl::string_view code, std::string text);
  void AskForTrials();
  void AskAllAgain();
  absl::StatusOr<const state::Sweep*> FindSweep(const state::SweepId& id) const;
  void EndTrial(const state::Job& job);
  void EndIfOver(state::Sweep* sweep);
  // What of a trial its sweep must not lose; `what`: deleted or retried.
  absl::Status CheckTrialChange(const state::Job& job, absl::string_view what) const;

  // hold_events.cc
  void HoldJob(state::Job* job, state::Hold hold, const std::string& reason);
  policy::NextTry NextTryOf(const state::Job& job) const;
  void QueueOrHold(state::Job* job);
  void Reconsider(state::Job* job);
  std::string LossWords(const state::Job& job) const;

  // task_events.cc: the report of a task of a live attempt.
  void Apply(const state::TaskReported& report, state::Job* job, state::Task* task);
  void RecordProgress(const state::TaskReported& report, state::Job* job, state::Task* task);
  void OnRunning(state::Job* job);
  void OnExited(const state::TaskReported& report, state::Job* job, state::Task* task);
  void OnStartFailed(const state::TaskReported& report, state::Job* job, state::Task* task);
  void OnPrepared(state::Job* job, state::Task* task);
  void OnProgramRuns(const state::TaskReported& report, state::Job* job, state::Task* task);
  void OnFirstStep(const state::TaskReported& report, state::Job* job, state::Task* task);
  void CloseRecovery(state::Job* job, int64_t step_ms);

  // elastic_events.cc: members that fail each other, tasks that join.
  void OnGenerationStep(state::Job* job, int64_t formed_with_step, int64_t at_ms);
  void AdmitIfReady(state::Job* job);
  void JoinerFailed(state::Job* job, const state::Task& task);
  void EndJoiner(state::Job* job, state::Task* task, const std::string& why);
  void OnOtherEnded(state::Job* job, const state::Task& task);
  void DropNewcomers(state::Job* job);
  void EndLateTasks(state::Job* job);
  void EndJoiners(state::Job* job, const std::string& why);

  // regroup.cc: a gang that goes on without those that it has lost.
  struct Leave {
    state::NodeId node;  // whose tasks are to leave
    int64_t deadline_ms = 0;
    std::string reason;
  };
  bool IsDoomed(const state::NodeId& id) const;
  bool MayRegroup(const state::Job& job) const;
  std::vector<int32_t> NextMembers(const state::Job& job) const;
  bool AffordsLoss(const state::Job& job) const;
  static bool CostsRetry(const state::Attempt& attempt);
  int64_t JudgementAt(const state::Attempt& attempt) const;
  bool GoOn(state::Job* job);
  void Judge(state::Job* job);
  void NoteLoss(state::Job* job, const state::Task& task, absl::string_view detector,
                int64_t alive_ms);
  void Reform(state::Job* job, const std::vector<int32_t>& next, const Leave* leave);
  void CountLosses(state::Job* job);
  void BeginGeneration(state::Job* job, const std::vector<int32_t>& next);
  void LetGo(state::Job* job, state::Task* task, const Leave& leave);
  Leave LeaveOf(const state::NodeId& id) const;
  bool LeaveNode(state::Job* job, const Leave& leave);
  void OnLost(state::Job* job, const std::set<int32_t>& tasks, const std::string& why,
              absl::string_view detector, int64_t heard_ms);

  // growth.cc
  using GrowthKey = std::tuple<int64_t, uint64_t, state::JobId>;  // -priority, age, job
  // By what a try to grow was decided.
  struct GrowthTry {
    uint64_t fleet_changes = 0;
    uint64_t reach_told = 0;
    uint64_t generation = 0;
    size_t tasks = 0;
    bool operator==(const GrowthTry&) const = default;
  };
  static bool HasUseForMore(const state::Job& job);
  void IndexGrowth(const state::Job& job);
  bool MayGrow(const state::Job& job) const;
  int64_t GrowsAfter(const state::Job& job) const;
  int64_t GrowthAt(const state::Job& job) const;
  void Grow(int starts);
  bool GrowOne(state::Job* job);
  std::set<state::JobId> HonouredByGrowth();
  void AddJoiners(state::Job* job, const std::vector<policy::RankPlace>& places);

  // node_events.cc
  void LoseNode(state::Node* node, const state::NodeLost& loss);
  void AdoptTasks(const state::NodeJoined& event, bool same_incarnation);
  void Join(const state::NodeJoined& event);
  void OnTasksLost(state::Job* job, const std::string& why);
  void SettleVerdicts(const state::Node& node, state::EndCause cause);
  void VacateNode(const state::Node& node, int64_t deadline_ms, const std::string& reason);
  void RememberNotice(const state::Node& node);
  void SetNotice(state::Node* node, const state::Notice& notice);
  // wanted.cc
  int64_t MtbfOf(const state::Attempt& attempt) const;

  // reach_events.cc
  static bool SameWay(const state::NodeOffer& a, const state::NodeOffer& b);
  void JoinReach(const state::Node& node, bool anew);
  void LeaveReach(const state::NodeId& node);
  void ClearReach();
  int64_t AgainAfterMs() const;
  int64_t ReachDeadline() const;
  void AskAgainIfDue();
  void DoubtReach(const state::Attempt& attempt);
  void SendProbes();
  bool MayReachEachOther(const std::set<state::NodeId>& nodes) const;

  // checkpoint_events.cc
  absl::Status CheckCheckpoint(const state::CheckpointUploaded& event,
                               const std::vector<state::Checkpoint>& committed, bool* known) const;
  void Retain(state::Job* job);
  void DropCheckpoint(state::Job* job, const std::string& name, absl::string_view why);
  void GiveUpCrashLoop(state::Job* job);
  absl::StatusOr<state::Checkpoint> OriginOf(const state::JobSpec& spec) const;
  void GoBackTo(state::Job* job, const std::string& from);

  // attempt.cc: the life of an attempt.
  void Begin(state::Job* job, const policy::Placement& placement);
  void SayPlaced(const state::Job& job, int64_t undone);
  void Stop(state::Job* job, const StopOrder& order);
  // How long ranks may take to save when a person ends or pauses the job.
  int64_t StopGraceMs(const state::Job& job) const {
    const int64_t own_ms = job.spec->notice_grace_ms;
    return own_ms > 0 ? own_ms : state_.config.cancel_grace_ms;
  }
  void StopPeers(state::Job* job, const std::string& why);
  void EndTask(state::Job* job, state::Task* task, state::TaskPhase phase, int64_t end_ms);
  void LoseTask(state::Job* job, state::Task* task, const std::string& why);
  void KillTasks(state::Job* job, const std::string& why);
  void FinishIfOver(state::Job* job);

  // verdict.cc: what an ended attempt means for its job.
  void Finish(state::Job* job);
  void BlameLossBefore(state::Job* job);
  void EndSucceeded(state::Job* job, bool missing);
  void EndByNodes(state::Job* job, absl::string_view what);
  void EndCrashed(state::Job* job);
  void EndStartFailed(state::Job* job);
  void CloseVerdict(state::Job* job, state::Attempt* attempt, state::EndCause cause);
  void CloseDueVerdicts(state::Job* job);
  void Requeue(state::Job* job);
  void CloseQueueTime(state::Job* job);
  void ReleaseIfReady(state::Job* job);
  void End(state::Job* job, state::JobState how, const std::string& reason);

  // timers.cc
  int64_t DeadlineOf(const state::Job& job) const;
  int64_t Effective(int64_t deadline_ms) const;
  void OnDue(state::Job* job);
  int64_t HeldBackUntil(const state::Job& job) const;
  int64_t NextVerdict(const state::Job& job) const;
  void OnStartDeadline(state::Job* job);
  void OnTimeLimit(state::Job* job);
  int64_t TimeLimitAt(const state::Job& job) const;

  // schedule.cc: the pass that starts what can start.
  void Pass();
  policy::Ask AskOf(const state::Job& job) const;
  bool StartFirst();
  // The waiting classes that were looked at for heads, of all that one caller asks for: it asks in
  // queue order and starts nothing before its last question, so none is looked at twice.
  struct HeadsWalk {
    Queue::Walk walk;
    int looked_at = 0;
  };
  // The heads that wait before `before` in the queue; null: all.
  std::map<std::string, state::JobId> PromiseHeads(const policy::QueueRank* before,
                                                   HeadsWalk* heads);
  std::set<state::JobId> HonouredBefore(const policy::QueueRank& rank, const JobClass& asking,
                                        HeadsWalk* heads);
  std::map<std::string, state::JobId> Holders();
  bool EndsBefore(const state::Job& job, int64_t start_ms) const;
  // What an attempt may take from PREPARE until all are prepared.
  int64_t PrepareLimitMs(const state::JobSpec& spec) const {
    return std::max(spec.prepare_limit_ms, state_.config.start_deadline_ms);
  }
  bool MakePromises(const state::Job& head, const std::set<state::JobId>& others);
  void ReleasePromises(const state::JobId& job);
  int64_t ReservedStart(const state::JobId& head) const;

  // explain.cc
  std::string ExplainQueued(const state::Job& job, int64_t now_ms) const;
  std::string ExplainPlacement(const state::Job& job) const;
  std::string ExplainAlternative(const state::Job& job, const policy::Ask& ask) const;
  std::string PromiseWords(const state::JobId& job) const;

  // explain_elastic.cc
  std::string ExplainRunning(const state::Job& job) const;

  // explain_reach.cc
  std::string ReachWords(const policy::Ask& ask) const;
  std::string UnreachedWords(const state::NodeId& from, const state::NodeId& to) const;

  // mutators.cc
  state::JobHistory& HistoryOf(state::Job* job);
  void Move(state::Job* job, state::JobState to);
  static bool IsWaitingGang(const state::Job& job);
  void Enqueue(state::Job* job);
  void Dequeue(state::Job* job);
  // So many tasks more hold room, or fewer.
  void ChargeUsage(const state::JobSpec& spec, const state::Attempt& attempt, int32_t tasks);
  void ForgetSmallAccounts();
  void MarkJob(const state::Job& job);
  void MarkNode(const state::Node& node);
  // Its wanted set is to be sent at the end of the step.
  void Touch(const state::NodeId& node);
  void TouchAll(const state::Attempt& attempt);
  void Say(const state::Job& job, absl::string_view code, std::string text);
  std::string NodeName(const state::NodeId& node) const;
  std::string NodeNames(const state::Attempt& attempt) const;
  state::WantedTask WantedOf(const state::Job& job, const state::Attempt& attempt,
                             const state::Task& task) const;
  void IndexLive(const state::Job& job);

  state::State state_;

  // Derived from the state.
  policy::Fleet fleet_;
  Queue queue_;
  Deadlines deadlines_;
  std::map<state::NodeId, std::set<std::pair<state::JobId, int32_t>>> tasks_on_;  // job, rank
  std::set<state::JobId> undecided_;  // jobs with an attempt whose verdict is open
  std::map<state::JobId, std::set<state::NodeId>> promises_;  // by whom they were made to
  int64_t waiting_gangs_ = 0;                       // queued jobs that may have several ranks
  std::set<GrowthKey> growable_;                    // running jobs that have use for more ranks
  std::map<state::JobId, GrowthTry> growth_tried_;  // in vain
  uint64_t reach_told_ = 0;                         // probes that were answered
  uint64_t passes_ = 0;
  bool pass_cut_short_ = false;  // more could start now: a step starts only so many

  int64_t recovered_ms_ = 0;  // the last thing that the recovered state knows of

  // Of the step in progress.
  int64_t now_ms_ = 0;
  Outputs out_;
  std::set<state::JobId> dirty_jobs_;
  std::set<state::NodeId> dirty_nodes_;
  std::set<state::NodeId> touched_;
  std::vector<std::pair<int32_t, int32_t>> probes_;   // who is to probe whom, by slot
  std::map<state::SweepId, int32_t> touched_sweeps_;  // with what was asked before
  std::set<std::pair<state::SweepId, int32_t>> dirty_trials_;
};

}  // namespace baton::core
