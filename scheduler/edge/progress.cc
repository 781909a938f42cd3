#include "scheduler/edge/progress.h"

#include <algorithm>

namespace baton::edge {

bool Progress::Update(const state::LastHeard& heard) {
  std::lock_guard<std::mutex> lock(mutex_);
  const Key key{.job = heard.task.job, .token = heard.task.token, .rank = heard.task.rank};
  const auto it = tasks_.find(key);
  if (it == tasks_.end()) {
    if (tasks_.size() >= kTasksMax) return false;
    tasks_.emplace(key, heard);
    return true;
  }
  const bool further = heard.step > it->second.step;
  if (further) it->second = heard;
  return further;
}

int64_t Progress::StepOf(const state::JobId& job, state::Token token) const {
  std::lock_guard<std::mutex> lock(mutex_);
  int64_t step = 0;
  for (auto it = tasks_.lower_bound({.job = job, .token = token, .rank = 0});
       it != tasks_.end() && it->first.job == job && it->first.token == token; ++it) {
    step = std::max(step, it->second.step);
  }
  return step;
}

std::vector<state::LastHeard> Progress::Of(const std::vector<state::TaskKey>& tasks) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<state::LastHeard> heard;
  for (const state::TaskKey& task : tasks) {
    const auto it = tasks_.find({.job = task.job, .token = task.token, .rank = task.rank});
    if (it != tasks_.end()) heard.push_back(it->second);
  }
  return heard;
}

void Progress::ForgetBefore(const state::JobId& job, state::Token token) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = tasks_.lower_bound({.job = job, .token = 0, .rank = 0});
  while (it != tasks_.end() && it->first.job == job && it->first.token < token) {
    it = tasks_.erase(it);
  }
}

}  // namespace baton::edge
