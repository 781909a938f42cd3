#include "client/chaos/hands.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/status.h"

namespace baton::client::chaos {
namespace {

constexpr char kNobody[] = "nobody";
constexpr Cloud kClouds[] = {Cloud::kAws, Cloud::kGcp, Cloud::kAzure};

// The whole group: a program's own children, too.
void SignalGroup(pid_t pid, int signal) { ::kill(-pid, signal); }

std::string WordsOf(const LocalTask& task) {
  return absl::StrCat("rank ", task.rank, " of job ", task.job);
}

// When the process was started, in ticks; a later one has more.
uint64_t Age(pid_t pid) { return FindProcess(pid).start_ticks; }

}  // namespace

absl::StatusOr<std::unique_ptr<Hands>> Hands::Start(
    const std::string& folder, const std::vector<std::string>& capacities, double cpus,
    const std::function<void(const std::string&)>& say) {
  auto hands = std::unique_ptr<Hands>(new Hands());
  LocalOptions options;
  options.folder = folder;
  options.capacities = capacities;
  options.cpus = cpus;
  options.before_worker = [&](const LocalCluster& cluster, LocalWorker* worker) {
    return hands->Furnish(cluster, worker);
  };
  BATON_ASSIGN_OR_RETURN(hands->cluster_, LocalUp(options, say));
  hands->back_ms_.resize(hands->cluster_.workers.size());
  return hands;
}

absl::Status Hands::Furnish(const LocalCluster& cluster, LocalWorker* worker) {
  Seat seat;
  BATON_ASSIGN_OR_RETURN(seat.line, Line::Start(cluster.address));
  BATON_ASSIGN_OR_RETURN(seat.metadata, MetadataServer::Start(kClouds[seats_.size() % 3]));
  worker->scheduler = seat.line->address();
  worker->metadata_url = seat.metadata->url();
  seats_.push_back(std::move(seat));
  return absl::OkStatus();
}

void Hands::Later(int64_t at_ms, std::function<void()> what) {
  cures_.push_back({at_ms, std::move(what)});
}

std::vector<std::pair<size_t, LocalTask>> Hands::AllTasks() const {
  std::vector<std::pair<size_t, LocalTask>> all;
  for (size_t i = 0; i < cluster_.workers.size(); ++i) {
    if (!IsAlive(cluster_.workers[i].process)) continue;
    for (LocalTask& task : TasksOf(cluster_.workers[i].process.pid)) {
      all.emplace_back(i, std::move(task));
    }
  }
  return all;
}

std::string Hands::Kill(size_t node, bool daemon, bool tasks) {
  const LocalWorker& worker = cluster_.workers[node];
  if (!IsAlive(worker.process)) return kNobody;
  const std::vector<LocalTask> there = TasksOf(worker.process.pid);
  if (daemon) Signal(worker.process, SIGKILL);
  for (const LocalTask& task : there) {
    if (tasks) SignalGroup(task.pid, SIGKILL);
  }
  return worker.name;
}

std::string Hands::KillTask(const Fault& fault, bool newest) {
  const auto all = AllTasks();
  if (all.empty()) return kNobody;
  auto hit = all.begin() + static_cast<ptrdiff_t>(fault.pick % all.size());
  if (newest) {
    hit = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return Age(a.second.pid) < Age(b.second.pid);
    });
  }
  SignalGroup(hit->second.pid, SIGKILL);
  return absl::StrCat(cluster_.workers[hit->first].name, ": ", WordsOf(hit->second));
}

std::string Hands::Freeze(const Fault& fault, bool whole_node, int64_t now_ms) {
  const auto all = AllTasks();
  if (all.empty()) return kNobody;
  const auto& [node, task] = all[fault.pick % all.size()];
  const LocalWorker& worker = cluster_.workers[node];
  std::vector<Process> frozen;
  for (const auto& [other, one] : all) {
    if (whole_node ? other == node : one.pid == task.pid) frozen.push_back(FindProcess(one.pid));
  }
  if (whole_node) frozen.push_back(worker.process);
  for (const Process& process : frozen) Signal(process, SIGSTOP);
  Later(now_ms + fault.for_ms, [frozen] {
    for (const Process& process : frozen) Signal(process, SIGCONT);
  });
  return whole_node ? worker.name : absl::StrCat(worker.name, ": ", WordsOf(task));
}

std::string Hands::Announce(const Fault& fault, size_t node, int64_t now_ms) {
  const LocalWorker& worker = cluster_.workers[node];
  MetadataServer* const metadata = seats_[node].metadata.get();
  if (!IsAlive(worker.process)) return kNobody;
  const int64_t unix_ms = SystemClock().UnixMillis();
  if (fault.kind == FaultKind::kRebalance) {
    metadata->Rebalance(unix_ms);
  } else {
    metadata->Announce(unix_ms + std::max<int64_t>(fault.for_ms, 1000));
  }
  const bool ends = fault.kind == FaultKind::kNotice || fault.kind == FaultKind::kNoticeTooLate;
  Later(now_ms + fault.for_ms, [this, node, ends, metadata, process = worker.process] {
    if (ends && IsAlive(process)) Kill(node, true, true);
    metadata->Calm();
  });
  return absl::StrCat(worker.name, " (", NameOf(metadata->cloud()), ")");
}

Done Hands::Do(const Fault& fault, int64_t now_ms) {
  Done done{NameOf(fault.kind), kNobody};
  const size_t node = fault.pick % cluster_.workers.size();
  switch (fault.kind) {
    case FaultKind::kKillTask:
    case FaultKind::kKillNewest:
      done.target = KillTask(fault, fault.kind == FaultKind::kKillNewest);
      break;
    case FaultKind::kKillWorker:
    case FaultKind::kKillNode:
      done.target = Kill(node, true, fault.kind == FaultKind::kKillNode);
      back_ms_[node] = now_ms + fault.for_ms;
      break;
    case FaultKind::kKillScheduler:
      if (!IsAlive(cluster_.scheduler)) break;
      Signal(cluster_.scheduler, SIGKILL);
      scheduler_back_ms_ = now_ms + fault.for_ms;
      done.target = "scheduler";
      break;
    case FaultKind::kFreezeTask:
    case FaultKind::kFreezeNode:
      done.target = Freeze(fault, fault.kind == FaultKind::kFreezeNode, now_ms);
      break;
    case FaultKind::kCutLine:
      done.target = cluster_.workers[node].name;
      seats_[node].line->Cut();
      Later(now_ms + fault.for_ms, [line = seats_[node].line.get()] { line->Mend(); });
      break;
    case FaultKind::kNotice:
    case FaultKind::kNoticeTooLate:
    case FaultKind::kNoticeWithdrawn:
    case FaultKind::kRebalance:
      done.target = Announce(fault, node, now_ms);
      break;
  }
  return done;
}

absl::Status Hands::Heal(int64_t now_ms) {
  std::vector<Cure> due;
  const auto is_due = [&](const Cure& cure) { return cure.at_ms <= now_ms; };
  std::copy_if(cures_.begin(), cures_.end(), std::back_inserter(due), is_due);
  cures_.erase(std::remove_if(cures_.begin(), cures_.end(), is_due), cures_.end());
  for (const Cure& cure : due) cure.what();
  if (scheduler_back_ms_ <= now_ms && !IsAlive(cluster_.scheduler)) {
    BATON_RETURN_IF_ERROR(StartScheduler(&cluster_));
  }
  for (size_t i = 0; i < cluster_.workers.size(); ++i) {
    if (back_ms_[i] > now_ms || IsAlive(cluster_.workers[i].process)) continue;
    BATON_RETURN_IF_ERROR(StartWorker(&cluster_, &cluster_.workers[i]));
  }
  return absl::OkStatus();
}

absl::Status Hands::HealAll() { return Heal(std::numeric_limits<int64_t>::max()); }

absl::StatusOr<std::vector<std::string>> Hands::End() {
  const std::string folder = cluster_.folder;
  BATON_RETURN_IF_ERROR(LocalDown(folder, [](const std::string&) {}).status());
  std::vector<std::string> left;
  for (const pid_t pid : AllPids()) {
    if (pid == ::getpid()) continue;
    const absl::StatusOr<std::string> words = ReadFile(absl::StrCat("/proc/", pid, "/cmdline"));
    const absl::StatusOr<std::string> variables = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
    const bool ours = (words.ok() && absl::StrContains(*words, folder)) ||
                      (variables.ok() && absl::StrContains(*variables, folder + "/workers/"));
    if (!ours || !IsAlive(FindProcess(pid))) continue;
    std::string text = words.ok() ? *words : "";
    std::replace(text.begin(), text.end(), '\0', ' ');
    left.push_back(absl::StrCat("process ", pid, ": ", text));
  }
  return left;
}

}  // namespace baton::client::chaos
