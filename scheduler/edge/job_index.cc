#include "scheduler/edge/job_index.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"

namespace baton::edge {
namespace {

constexpr int kCandidatesShown = 5;

uint64_t HashOf(absl::string_view name) { return Xxh3(name.data(), name.size()); }

absl::Status Ambiguous(absl::string_view prefix, const state::State& state) {
  std::string text = absl::StrCat("\"", prefix, "\" is the beginning of several jobs' ids:");
  int shown = 0;
  for (auto it = state.jobs.lower_bound(std::string(prefix));
       it != state.jobs.end() && absl::StartsWith(it->first, prefix); ++it) {
    if (++shown > kCandidatesShown) {
      absl::StrAppend(&text, " ..");
      break;
    }
    absl::StrAppend(&text, " ", it->first, " (", it->second.name, ")");
  }
  return absl::InvalidArgumentError(absl::StrCat(text, "; type more of it"));
}

}  // namespace

JobIndex::JobIndex(const state::State& state) : state_(state) {
  by_age_.reserve(state.jobs.size());
  for (const auto& [id, job] : state.jobs) by_age_.push_back({.job = &job});
  std::sort(by_age_.begin(), by_age_.end(), Older);
  for (Entry& entry : by_age_) {
    by_name_[HashOf(entry.job->name)] = entry.job;
    if (entry.job->submitter != nullptr) {
      latest_[{entry.job->submitter->owner, entry.job->submitter->folder}] = entry.job;
    }
    Refresh(entry);
  }
}

bool JobIndex::Older(const Entry& a, const Entry& b) {
  if (a.job->submit_ms != b.job->submit_ms) return a.job->submit_ms < b.job->submit_ms;
  return a.job->id < b.job->id;
}

void JobIndex::Update(const std::vector<state::JobId>& changed) {
  for (const state::JobId& id : changed) {
    const auto job = state_.jobs.find(id);
    if (job == state_.jobs.end()) continue;
    const Entry wanted{.job = &job->second};
    const auto entry = std::lower_bound(by_age_.begin(), by_age_.end(), wanted, Older);
    if (entry != by_age_.end() && entry->job == wanted.job) {
      Refresh(*entry);
    } else {
      Add(job->second);
    }
  }
}

void JobIndex::Add(const state::Job& job) {
  const Entry entry{.job = &job};
  // Time never goes back, so that this is the end or a few places before it.
  auto place = by_age_.end();
  while (place != by_age_.begin() && Older(entry, *std::prev(place))) --place;
  place = by_age_.insert(place, entry);
  by_name_[HashOf(job.name)] = &job;
  if (job.submitter != nullptr) latest_[{job.submitter->owner, job.submitter->folder}] = &job;
  Refresh(*place);
}

// Slow, and asked only for a job that is deleted.
const state::Job* JobIndex::Newest(const std::function<bool(const state::Job&)>& which) const {
  const auto at = std::find_if(by_age_.rbegin(), by_age_.rend(),
                               [&](const Entry& entry) { return which(*entry.job); });
  return at == by_age_.rend() ? nullptr : at->job;
}

void JobIndex::Remove(const state::Job& job) {
  const auto entry = std::lower_bound(by_age_.begin(), by_age_.end(), Entry{.job = &job}, Older);
  if (entry == by_age_.end() || entry->job != &job) return;
  queued_ -= static_cast<int64_t>(entry->queued);
  live_.erase(job.id);
  by_age_.erase(entry);
  const auto named = by_name_.find(HashOf(job.name));
  if (named != by_name_.end() && named->second == &job) {
    const state::Job* other =
        Newest([&](const state::Job& candidate) { return candidate.name == job.name; });
    if (other != nullptr) {
      named->second = other;
    } else {
      by_name_.erase(named);
    }
  }
  if (job.submitter == nullptr) return;
  const auto latest = latest_.find({job.submitter->owner, job.submitter->folder});
  if (latest == latest_.end() || latest->second != &job) return;
  const state::Job* other = Newest([&](const state::Job& candidate) {
    return candidate.submitter != nullptr && *candidate.submitter == *job.submitter;
  });
  if (other != nullptr) {
    latest->second = other;
  } else {
    latest_.erase(latest);
  }
}

void JobIndex::Refresh(Entry& entry) {
  const bool queued = entry.job->state == state::JobState::kQueued;
  queued_ += static_cast<int64_t>(queued) - static_cast<int64_t>(entry.queued);
  entry.queued = queued;
  if (entry.job->LiveAttempt() != nullptr) {
    live_.insert(entry.job->id);
  } else {
    live_.erase(entry.job->id);
  }
}

absl::StatusOr<const state::Job*> JobIndex::Find(absl::string_view what,
                                                 const state::Submitter& asker) const {
  if (what.empty()) return absl::InvalidArgumentError("job: name a job, or \"latest\"");
  if (what == "latest") {
    const auto it = latest_.find({asker.owner, asker.folder});
    if (it != latest_.end()) return it->second;
    return absl::NotFoundError(absl::StrCat("nobody called \"", asker.owner,
                                            "\" has submitted a job from ", asker.folder,
                                            "; `baton jobs` lists all jobs"));
  }
  const auto exact = state_.jobs.find(std::string(what));
  if (exact != state_.jobs.end()) return &exact->second;
  const auto named = by_name_.find(HashOf(what));
  if (named != by_name_.end() && named->second->name == what) return named->second;
  const auto first = state_.jobs.lower_bound(std::string(what));
  if (first == state_.jobs.end() || !absl::StartsWith(first->first, what)) {
    return absl::NotFoundError(
        absl::StrCat("no job has the name or id \"", what, "\"; `baton jobs` lists all jobs"));
  }
  const auto second = std::next(first);
  if (second != state_.jobs.end() && absl::StartsWith(second->first, what)) {
    return Ambiguous(what, state_);
  }
  return &first->second;
}

absl::StatusOr<JobIndex::Page> JobIndex::List(absl::string_view token, int page_size) const {
  auto end = by_age_.end();
  if (!token.empty()) {
    const std::vector<absl::string_view> parts = absl::StrSplit(token, absl::MaxSplits('.', 1));
    state::Job last;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &last.submit_ms)) {
      return absl::InvalidArgumentError("page_token: not one that a list has returned");
    }
    last.id = std::string(parts[1]);
    end = std::lower_bound(by_age_.begin(), by_age_.end(), Entry{.job = &last}, Older);
  }
  Page page;
  while (end != by_age_.begin() && page.jobs.size() < static_cast<size_t>(page_size)) {
    page.jobs.push_back((--end)->job);
  }
  if (end != by_age_.begin()) {
    page.next = absl::StrCat(page.jobs.back()->submit_ms, ".", page.jobs.back()->id);
  }
  return page;
}

}  // namespace baton::edge
