#include "worker/checkpoint/file_set.h"

#include <algorithm>

#include "worker/checkpoint/whole_file.h"

namespace baton::worker {
namespace {

// A file is at rest when it has not changed for so long: several files of one save are then done.
constexpr int64_t kRestMs = 500;
// A program that saves again and again leaves no such rest: then a file's own short one is enough.
constexpr int64_t kPatienceMs = 2'000;
constexpr int64_t kShortRestMs = 100;
constexpr int64_t kNoRestAfterMs = 5'000;
// A checkpoint that is being written is waited for; a log may stay open for ever.
constexpr int64_t kSavePatienceMs = 600'000;
// What a program that was killed changed later than this need not be whole.
constexpr int64_t kKilledRestMs = 2'000;

// Between two questions who writes.
constexpr int64_t kAskEveryMsMin = 100;
constexpr int64_t kAskEveryMsMax = 5'000;

constexpr int64_t kPauseMsMin = 1'000;
constexpr int64_t kPausePerCost = 10;
// Logs beside checkpoints are no reason for a set of their own more often than this.
constexpr int64_t kLogsPauseMs = 30'000;

}  // namespace

FileSet::FileSet(const SeenFiles& at_start) {
  for (const auto& [path, version] : at_start) {
    State& file = files_[path];
    file.seen = version;
    file.saved = version;
  }
}

bool FileSet::IsDue(int64_t now_ms) const {
  bool has_known = false;
  bool known_changed = false;
  for (const auto& [path, file] : files_) {
    const bool known = HasKnownEnd(path);
    has_known |= known;
    known_changed |= known && file.changed();
  }
  const int64_t pause_ms =
      has_known && !known_changed ? std::max(pause_ms_, kLogsPauseMs) : pause_ms_;
  return saved_ms_ == 0 || now_ms - saved_ms_ >= pause_ms;
}

bool FileSet::Look(const SeenFiles& seen, int64_t now_ms, TaskEnd end) {
  std::erase_if(files_, [&](const auto& file) { return seen.count(file.first) == 0; });
  bool changed = false;
  int64_t newest_ms = 0;
  for (const auto& [path, version] : seen) {
    State& file = files_[path];
    if (file.seen != version || file.since_ms == 0) file.since_ms = now_ms;
    file.seen = version;
    if (!file.changed()) continue;
    changed = true;
    newest_ms = std::max(newest_ms, file.since_ms);
  }
  if (!changed) {
    changed_ms_.reset();
    return false;
  }
  if (!changed_ms_) changed_ms_ = now_ms;
  if (end != TaskEnd::kRuns) return true;
  const bool at_rest = now_ms - newest_ms >= kRestMs;
  const bool may_ask =
      now_ms >= choose_ms_ || (newest_ms > asked_ms_ && now_ms - newest_ms >= kShortRestMs);
  return may_ask && IsDue(now_ms) && (at_rest || now_ms - *changed_ms_ >= kPatienceMs);
}

std::vector<std::string> FileSet::Choose(const std::set<std::string>& written, int64_t now_ms,
                                         TaskEnd end) {
  asked_ms_ = now_ms;
  const int64_t waited_ms = changed_ms_ ? now_ms - *changed_ms_ : 0;
  const int64_t short_rest_ms = waited_ms >= kNoRestAfterMs ? 0 : kShortRestMs;
  std::vector<std::string> at_rest;
  std::vector<std::string> rested_shortly;
  bool all_at_rest = true;
  bool save_under_way = false;
  for (const auto& [path, file] : files_) {
    if (!file.changed()) continue;
    const int64_t rest_ms = now_ms - file.since_ms;
    const bool known = HasKnownEnd(path);
    if (end != TaskEnd::kRuns) {
      at_rest.push_back(path);
      continue;
    }
    const bool open = written.count(path) > 0;
    if (!open && rest_ms >= kRestMs) {
      at_rest.push_back(path);
    } else {
      all_at_rest = false;
      save_under_way |= open && known;
    }
    if (!open && rest_ms >= short_rest_ms) rested_shortly.push_back(path);
  }
  // A program that writes a log and fails, again and again, makes no progress by that.
  const bool has_known = std::any_of(at_rest.begin(), at_rest.end(), HasKnownEnd);
  if (end == TaskEnd::kFailed && !has_known) return {};
  if (end != TaskEnd::kRuns || all_at_rest) return at_rest;
  const int64_t patience_ms = save_under_way ? kSavePatienceMs : kPatienceMs;
  if (waited_ms < patience_ms) rested_shortly.clear();
  if (rested_shortly.empty()) {
    choose_ms_ = now_ms + std::clamp(waited_ms / 10, kAskEveryMsMin, kAskEveryMsMax);
  }
  return rested_shortly;
}

bool FileSet::NeedsProof(const std::string& path, int64_t now_ms, TaskEnd end) const {
  const auto at = files_.find(path);
  return end == TaskEnd::kKilled && at != files_.end() &&
         now_ms - at->second.since_ms < kKilledRestMs;
}

bool FileSet::IsSaved(const std::string& path) const {
  const auto at = files_.find(path);
  return at != files_.end() && at->second.saved == at->second.seen;
}

void FileSet::Saved(const std::string& path, const FileVersion& version) {
  const auto at = files_.find(path);
  if (at != files_.end()) at->second.saved = version;
}

void FileSet::Refused(const std::string& path, const FileVersion& version) {
  const auto at = files_.find(path);
  if (at != files_.end()) at->second.refused = version;
}

void FileSet::Missed(int64_t now_ms, int64_t cost_ms) {
  choose_ms_ = std::max(choose_ms_, now_ms + cost_ms);
}

void FileSet::Paced(int64_t now_ms, int64_t cost_ms) {
  saved_ms_ = now_ms;
  pause_ms_ = std::max(kPauseMsMin, kPausePerCost * cost_ms);
  changed_ms_.reset();
}

}  // namespace baton::worker
