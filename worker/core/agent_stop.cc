// Notices, stops and time.
#include <algorithm>
#include <utility>

#include "worker/core/agent.h"

namespace baton::worker {
namespace {

constexpr int64_t kWakeMsMax = 1000;
// SIGKILL comes this share of the time given before the deadline, within these limits: what is left
// serves to upload what the task wrote last.
constexpr int64_t kKillShare = 10;
constexpr int64_t kKillMarginMsMin = 50;
constexpr int64_t kKillMarginMsMax = 1000;

void Earliest(const std::optional<Stop>& candidate, std::optional<Stop>& stop) {
  if (!candidate.has_value()) return;
  if (!stop.has_value() || candidate->deadline_ms < stop->deadline_ms) stop = candidate;
}

}  // namespace

void Agent::On(const Noticed& noticed, Now) {
  const std::vector<Event> news =
      notices_.Set(noticed.notice.source,
                   noticed.notice.withdrawn ? std::nullopt : std::optional<Notice>(noticed.notice));
  if (news.empty()) return;
  for (const Event& event : news) {
    const Notice& news_notice = std::get<Noticed>(event).notice;
    if (link_up_) Emit(SendNotice{news_notice});
    if (!news_notice.certain && !news_notice.withdrawn) AskForSaves(news_notice);
  }
  for (const auto& [key, task] : tasks_) {
    if (task.phase == Phase::kCollecting && !task.collected && task.is_wanted) {
      Emit(Collect{key, VanishTime(), true, task.exited.code == 0});
    }
  }
}

// The node may go, or may not: what is saved now is not lost with it.
void Agent::AskForSaves(const Notice& notice) {
  const std::string reason = notice.reason.empty() ? notice.kind + " notice" : notice.reason;
  for (const auto& [key, task] : tasks_) {
    if (task.phase == Phase::kRunning && !task.stop.has_value()) {
      Emit(AskForSave{key, notice.noticed_ms, reason});
    }
  }
}

void Agent::On(const ShutdownAsked& asked, Now now) {
  if (shutdown_.has_value() && shutdown_->deadline_ms <= asked.deadline_ms) return;
  shutdown_ = Stop{asked.deadline_ms, asked.reason};
  Notice notice;
  notice.source = "signal";
  notice.kind = "shutdown";
  notice.deadline_ms = asked.deadline_ms;
  notice.noticed_ms = now.unix_ms;
  notice.reason = asked.reason;
  On(Noticed{notice}, now);
}

// When this node is gone; 0: not known to go.
int64_t Agent::VanishTime() const {
  int64_t vanish_ms = 0;
  const std::optional<Notice>& notice = notices_.gravest();
  if (notice.has_value() && notice->certain) vanish_ms = notice->deadline_ms;
  if (shutdown_.has_value() && (vanish_ms == 0 || shutdown_->deadline_ms < vanish_ms)) {
    vanish_ms = shutdown_->deadline_ms;
  }
  return vanish_ms;
}

std::optional<Stop> Agent::WantedStop(const AgentTask& task, Now) const {
  std::optional<Stop> stop;
  if (task.wanted.goal == Goal::kStop) {
    stop = Stop{task.wanted.stop_deadline_ms, task.wanted.stop_reason};
  }
  const std::optional<Notice>& notice = notices_.gravest();
  if (notice.has_value() && notice->certain) {
    Earliest(Stop{notice->deadline_ms,
                  notice->reason.empty() ? notice->kind + " notice" : notice->reason},
             stop);
  }
  Earliest(shutdown_, stop);
  Earliest(detached_, stop);
  return stop;
}

int64_t Agent::KillTime(const AgentTask& task) const {
  const int64_t given_ms = std::max<int64_t>(0, task.stop->deadline_ms - task.stop_since_ms);
  return task.stop->deadline_ms -
         std::clamp(given_ms / kKillShare, kKillMarginMsMin, kKillMarginMsMax);
}

void Agent::ApplyStops(Now now) {
  if (!welcome_ && was_welcome_ && !detached_.has_value() &&
      now.steady_ms - lost_ms_ >= options_.detached_ms_max) {
    int64_t grace_ms = 0;
    for (const auto& [key, task] : tasks_) {
      if (task.wanted.spec != nullptr) {
        grace_ms = std::max(grace_ms, task.wanted.spec->notice_grace_ms);
      }
    }
    detached_ =
        Stop{now.unix_ms + grace_ms, "the scheduler has been away for " +
                                         std::to_string(options_.detached_ms_max / 1000) + " s"};
  }
  for (auto& [key, task] : tasks_) {
    if (task.phase == Phase::kStarting || task.phase == Phase::kRunning) ApplyStop(task, now);
  }
}

void Agent::ApplyStop(AgentTask& task, Now now) {
  if (task.killed) return;
  const std::optional<Stop> stop = WantedStop(task, now);
  if (!stop.has_value()) {
    if (task.stop.has_value()) Emit(RemoveDeadline{task.wanted.key});
    task.stop.reset();
    return;
  }
  if (task.stop != stop) {
    if (!task.stop.has_value()) task.stop_since_ms = now.unix_ms;
    task.stop = stop;
    Emit(WriteDeadline{task.wanted.key, stop->deadline_ms, stop->reason});
    task.terminated_ms = now.steady_ms - options_.terminate_again_ms;
  }
  if (now.unix_ms >= KillTime(task)) {
    task.killed = true;
    Emit(Kill{task.wanted.key});
  } else if (now.steady_ms - task.terminated_ms >= options_.terminate_again_ms) {
    task.terminated_ms = now.steady_ms;
    // What its owner wants to be the notice is no cancel.
    const bool for_good = task.wanted.goal == Goal::kStop && task.wanted.stop_for_good;
    const int signal =
        for_good || task.wanted.spec == nullptr ? kSigTerm : task.wanted.spec->notice_signal;
    if (signal != 0) Emit(Terminate{task.wanted.key, for_good, signal});
  }
}

void Agent::Heartbeat(Now now) {
  if (!link_up_) return;
  const int64_t silent_ms = now.steady_ms - heartbeat_sent_ms_;
  const bool due = silent_ms >= heartbeat_ms_;
  if (!due && silent_ms < options_.progress_ms) return;
  SendHeartbeat heartbeat;
  for (auto& [key, task] : tasks_) {
    if (!std::exchange(task.progress_is_new, false)) continue;
    heartbeat.progress.push_back(
        {key, task.report.last_step, task.report.last_step_ms, task.report.save_ms});
  }
  if (!due && heartbeat.progress.empty()) return;
  heartbeat_sent_ms_ = now.steady_ms;
  Emit(std::move(heartbeat));
}

void Agent::FinishIfDone(Now now) {
  if (!shutdown_.has_value() || finished_) return;
  if (!tasks_.empty() && now.unix_ms < shutdown_->deadline_ms) return;
  finished_ = true;
  Emit(Finish{shutdown_->reason, shutdown_->deadline_ms});
}

int64_t Agent::NextWake(Now now) const {
  int64_t wait_ms = kWakeMsMax;
  const auto at_steady = [&](int64_t ms) { wait_ms = std::min(wait_ms, ms - now.steady_ms); };
  const auto at_unix = [&](int64_t ms) { wait_ms = std::min(wait_ms, ms - now.unix_ms); };
  if (link_up_) at_steady(heartbeat_sent_ms_ + heartbeat_ms_);
  if (!welcome_ && was_welcome_ && !detached_.has_value()) {
    at_steady(lost_ms_ + options_.detached_ms_max);
  }
  for (const auto& [key, task] : tasks_) {
    if (link_up_ && task.progress_is_new) at_steady(heartbeat_sent_ms_ + options_.progress_ms);
    if (task.phase == Phase::kPrepared && task.start_due_ms != 0) at_steady(task.start_due_ms);
    if (!task.stop.has_value() || task.killed || task.phase > Phase::kRunning) continue;
    at_unix(KillTime(task));
    at_steady(task.terminated_ms + options_.terminate_again_ms);
  }
  if (shutdown_.has_value()) at_unix(shutdown_->deadline_ms);
  return std::max<int64_t>(wait_ms, 0);
}

}  // namespace baton::worker
