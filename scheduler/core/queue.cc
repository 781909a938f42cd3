#include "scheduler/core/queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "scheduler/policy/placement.h"

namespace baton::core {
namespace {

using state::Job;

std::string DeviceKindOf(const Job& job) {
  return job.history == nullptr ? "" : job.history->device_kind;
}

void AppendText(std::string* key, const std::string& text) {
  absl::StrAppend(key, text.size(), ":", text, ",");
}

std::string ClassKey(const Job& job) {
  const state::JobSpec& s = *job.spec;
  std::string key =
      absl::StrCat(s.priority, ",", s.ranks_min, ",", s.ranks_max, ",", s.shards, ",",
                   s.ranks_per_node, ",", static_cast<int>(s.capacity), ",", s.time_limit_ms, ",",
                   s.prepare_limit_ms, ",", state::Alternatives(s), ",");
  for (int32_t i = 0; i < state::Alternatives(s); ++i) {
    const state::Resources& r = state::NeedOf(s, i);
    absl::StrAppend(&key, r.cpus_milli, ",", r.memory_bytes, ",", r.disk_bytes, ",", r.gpus, ",",
                    r.gpu_memory_bytes, ",");
    AppendText(&key, r.gpu_type);
  }
  for (const uint64_t data : s.data) absl::StrAppend(&key, data, ",");
  AppendText(&key, s.project);
  AppendText(&key, DeviceKindOf(job));
  if (job.history != nullptr && job.history->on_demand_only) AppendText(&key, "on-demand");
  for (const state::Label& label : s.require) {
    AppendText(&key, label.key);
    AppendText(&key, label.value);
  }
  return key;
}

// Whether a node with that room could hold its part of the job, by any alternative.
bool FitsSome(const policy::NodeRoom& room, const state::JobSpec& spec) {
  const int32_t unit = policy::RankUnit(spec);
  for (int32_t i = 0; i < state::Alternatives(spec); ++i) {
    if (policy::RanksThatFit(room, state::NeedOf(spec, i), unit) == unit) return true;
  }
  return false;
}

}  // namespace

Queue::Group& Queue::GroupOf(const JobClass& job_class) {
  return groups_[{job_class.spec->priority, job_class.spec->project}];
}

void Queue::Unlist(JobClass& job_class) {
  if (job_class.waiting.empty()) return;
  Group& group = GroupOf(job_class);
  const std::pair<uint64_t, JobClass*> entry = {job_class.waiting.begin()->first, &job_class};
  group.all.erase(entry);
  runnable_ -= group.runnable.erase(entry);
  if (group.all.empty()) groups_.erase({job_class.spec->priority, job_class.spec->project});
}

void Queue::List(JobClass& job_class) {
  if (job_class.waiting.empty()) return;
  Group& group = GroupOf(job_class);
  const std::pair<uint64_t, JobClass*> entry = {job_class.waiting.begin()->first, &job_class};
  group.all.insert(entry);
  if (!job_class.blocked) runnable_ += group.runnable.insert(entry).second;
}

void Queue::Add(const Job* job) {
  std::string key = ClassKey(*job);
  auto [it, added] = classes_.try_emplace(std::move(key));
  JobClass& job_class = it->second;
  if (added) {
    job_class.key = it->first;
    job_class.spec = job->spec;
    job_class.device_kind = DeviceKindOf(*job);
  }
  const bool new_head = job_class.waiting.empty() || job->order < job_class.waiting.begin()->first;
  if (new_head) Unlist(job_class);
  const bool inserted = job_class.waiting.emplace(job->order, job).second;
  BATON_CHECK(inserted, "two jobs of one place in the queue");
  ++size_;
  if (new_head) List(job_class);
}

void Queue::Remove(const Job* job) {
  const auto it = classes_.find(ClassKey(*job));
  if (it == classes_.end()) return;
  JobClass& job_class = it->second;
  const auto at = job_class.waiting.find(job->order);
  if (at == job_class.waiting.end() || at->second != job) return;
  const bool head = at == job_class.waiting.begin();
  if (head) Unlist(job_class);
  job_class.waiting.erase(at);
  --size_;
  if (head) List(job_class);
  if (job_class.waiting.empty()) classes_.erase(it);
}

bool Queue::Contains(const Job* job) const {
  const auto it = classes_.find(ClassKey(*job));
  return it != classes_.end() && it->second.waiting.count(job->order) != 0;
}

void Queue::AddRunning(const std::string& project, int64_t demand) {
  if ((running_[project] += demand) == 0) running_.erase(project);
}

int64_t Queue::Running(const std::string& project) const {
  const auto it = running_.find(project);
  return it == running_.end() ? 0 : it->second;
}

void Queue::Block(JobClass* job_class) {
  if (job_class->blocked) return;
  job_class->blocked = true;
  const std::pair<uint64_t, JobClass*> entry = {job_class->waiting.begin()->first, job_class};
  runnable_ -= GroupOf(*job_class).runnable.erase(entry);
}

void Queue::Unblock(const policy::NodeRoom& room) {
  if (!room.takes_work) return;
  for (auto& [key, job_class] : classes_) {
    if (!job_class.blocked) continue;
    if (!FitsSome(room, *job_class.spec)) continue;
    job_class.blocked = false;
    if (job_class.waiting.empty()) continue;
    runnable_ +=
        GroupOf(job_class).runnable.insert({job_class.waiting.begin()->first, &job_class}).second;
  }
}

Queue::Walk::Walk(const Queue& queue, const state::Counters& counters, int64_t now_ms, Over over) {
  for (const auto& [key, group] : queue.groups_) {
    const Heads& heads = over == Over::kAll ? group.all : group.runnable;
    if (heads.empty()) continue;
    const auto account = counters.usage.find(key.second);
    const int64_t usage = policy::FairShareUsage(
        account == counters.usage.end() ? state::ProjectUsage() : account->second,
        queue.Running(key.second), now_ms);
    const policy::QueueRank rank = {
        .priority = key.first, .usage = usage, .order = heads.begin()->first};
    cursors_.push_back({rank, heads.begin(), heads.end()});
  }
  std::make_heap(cursors_.begin(), cursors_.end(), Later);
}

JobClass* Queue::Walk::Next() {
  if (cursors_.empty()) return nullptr;
  std::pop_heap(cursors_.begin(), cursors_.end(), Later);
  Cursor& best = cursors_.back();
  rank_ = best.rank;
  JobClass* job_class = best.at->second;
  if (++best.at == best.end) {
    cursors_.pop_back();
  } else {
    best.rank.order = best.at->first;
    std::push_heap(cursors_.begin(), cursors_.end(), Later);
  }
  return job_class;
}

bool Queue::Walk::HasBefore(const policy::QueueRank& rank) const {
  return !cursors_.empty() && policy::Before(cursors_.front().rank, rank);
}

}  // namespace baton::core
