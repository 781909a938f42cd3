#include "client/chaos/game.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/api.h"
#include "client/chaos/entry.h"
#include "client/chaos/hands.h"
#include "client/chaos/plan.h"
#include "client/exit_code.h"
#include "client/folder.h"
#include "client/render/format.h"
#include "common/clock.h"
#include "common/status.h"

namespace baton::client::chaos {
namespace {

constexpr auto kTurn = std::chrono::milliseconds(20);
constexpr int64_t kLookMs = 300;  // between two looks at the jobs

class Game {
 public:
  Game(const GameOptions& options, const std::atomic<bool>& stop,
       const std::function<void(const std::string&)>& say)
      : options_(options), stop_(stop), say_(say) {}

  absl::StatusOr<GameResult> Play() {
    BATON_RETURN_IF_ERROR(Begin());
    absl::Status status = Calm();
    if (status.ok()) status = Storm();
    if (status.ok()) status = Judge();
    // Whatever was frozen or cut must hear that it is to end.
    status.Update(hands_->HealAll());
    BATON_ASSIGN_OR_RETURN(result_.leaks, hands_->End());
    BATON_RETURN_IF_ERROR(status);
    return std::move(result_);
  }

 private:
  struct Entry {
    std::vector<std::string> words;
    std::string calm_sha256;
  };
  struct Running {
    size_t entry = 0;
    std::string name;
    std::future<absl::StatusOr<std::string>> submitted;
    std::string id;
    bool over = false;
  };

  int64_t NowMs() const { return SystemClock().MonotonicMillis(); }
  std::string address() const { return hands_->cluster().address; }
  absl::Status Interrupted() const {
    return stop_ ? absl::CancelledError("interrupted") : absl::OkStatus();
  }

  absl::Status Begin();
  absl::Status Calm();
  absl::Status Storm();
  absl::Status Judge();
  absl::Status TakeIds();
  absl::Status Refill();
  absl::Status Look();
  bool AllOver() const {
    return std::all_of(running_.begin(), running_.end(), [](const Running& r) { return r.over; });
  }

  const GameOptions& options_;
  const std::atomic<bool>& stop_;
  const std::function<void(const std::string&)>& say_;
  std::unique_ptr<Hands> hands_;
  std::vector<Entry> entries_;
  std::vector<Running> running_;
  std::map<std::string, v1::Job> ended_;
  int64_t looked_ms_ = 0;
  GameResult result_;
};

absl::Status Game::Begin() {
  MadeFolders made;
  BATON_RETURN_IF_ERROR(made.Make(options_.folder, "--dir"));
  BATON_RETURN_IF_ERROR(made.Make(options_.folder + "/jobs", "--dir"));
  BATON_RETURN_IF_ERROR(made.Make(options_.folder + "/outputs", "--dir"));
  made.Keep();
  for (const std::vector<std::string>& words : options_.entries) entries_.push_back({words, ""});
  if (entries_.empty()) {
    BATON_ASSIGN_OR_RETURN(const std::string own, WriteOwnEntry(options_.folder + "/jobs"));
    entries_.push_back({{own}, ""});
  }
  BATON_ASSIGN_OR_RETURN(
      hands_, Hands::Start(options_.folder + "/cluster", options_.capacities, options_.cpus, say_));
  return absl::OkStatus();
}

absl::Status Game::Calm() {
  BATON_ASSIGN_OR_RETURN(auto api, Api::Connect(address()));
  for (size_t i = 0; i < entries_.size(); ++i) {
    const std::string name = absl::StrCat("calm-", i + 1);
    BATON_ASSIGN_OR_RETURN(const std::string id, Submit(address(), name, entries_[i].words));
    v1::Job job;
    BATON_RETURN_IF_ERROR(api->Watch(id, stop_, [&](const v1::WatchJobResponse& seen) {
      job = seen.job();
      return !HasStopped(job);
    }));
    if (job.state() != v1::SUCCEEDED) {
      return absl::FailedPreconditionError(absl::StrCat("the calm run of ", entries_[i].words[0],
                                                        " ended as ", StateName(job.state()), " (",
                                                        job.reason(), "): mend that first"));
    }
    BATON_ASSIGN_OR_RETURN(
        entries_[i].calm_sha256,
        DigestOfOutputs(address(), id, absl::StrCat(options_.folder, "/outputs/", name)));
    say_(absl::StrCat("calm run of ", entries_[i].words[0], ": ", entries_[i].calm_sha256));
  }
  return absl::OkStatus();
}

// Of the submits that have been answered.
absl::Status Game::TakeIds() {
  for (Running& job : running_) {
    const bool answered =
        job.submitted.valid() &&
        job.submitted.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (!answered) continue;
    BATON_ASSIGN_OR_RETURN(job.id, job.submitted.get());
  }
  return absl::OkStatus();
}

// Keeps so many jobs under way; submits beside the faults, since the scheduler may be away.
absl::Status Game::Refill() {
  BATON_RETURN_IF_ERROR(TakeIds());
  int under_way = 0;
  for (const Running& job : running_) under_way += job.over ? 0 : 1;
  for (; under_way < options_.jobs_at_once; ++under_way) {
    Running job;
    job.entry = running_.size() % entries_.size();
    job.name = absl::StrCat("storm-", running_.size() + 1);
    job.submitted = std::async(std::launch::async, [address = address(), name = job.name,
                                                    words = entries_[job.entry].words] {
      return Submit(address, name, words);
    });
    running_.push_back(std::move(job));
  }
  return absl::OkStatus();
}

// What the scheduler says of the jobs, when it is there.
absl::Status Game::Look() {
  if (NowMs() - looked_ms_ < kLookMs) return absl::OkStatus();
  looked_ms_ = NowMs();
  const auto api = Api::Connect(address());
  if (!api.ok()) return absl::OkStatus();
  const auto jobs = (*api)->ListJobs();
  if (!jobs.ok()) return absl::OkStatus();
  for (const v1::Job& job : *jobs) {
    if (HasStopped(job)) ended_[job.id()] = job;
  }
  for (Running& job : running_) job.over = !job.id.empty() && ended_.count(job.id) != 0;
  return absl::OkStatus();
}

absl::Status Game::Storm() {
  const std::vector<Fault> faults = PlanFaults(options_.seed, options_.faults);
  const int64_t begin_ms = NowMs();
  int64_t due_ms = begin_ms + 1000;
  for (const Fault& fault : faults) {
    due_ms = std::max(due_ms, NowMs()) + fault.after_ms;
    while (NowMs() < due_ms) {
      BATON_RETURN_IF_ERROR(Interrupted());
      BATON_RETURN_IF_ERROR(Refill());
      BATON_RETURN_IF_ERROR(Look());
      BATON_RETURN_IF_ERROR(hands_->Heal(NowMs()));
      std::this_thread::sleep_for(kTurn);
    }
    const Done done = hands_->Do(fault, NowMs());
    result_.faults.push_back({NowMs() - begin_ms, done.kind, done.target});
    say_(absl::StrFormat("%7.1f s  %d/%d  %s  %s", static_cast<double>(NowMs() - begin_ms) / 1000,
                         result_.faults.size(), faults.size(), done.kind, done.target));
  }
  const int64_t limit_ms = NowMs() + options_.end_limit_ms;
  while (!AllOver() && NowMs() < limit_ms) {
    BATON_RETURN_IF_ERROR(Interrupted());
    BATON_RETURN_IF_ERROR(TakeIds());
    BATON_RETURN_IF_ERROR(Look());
    BATON_RETURN_IF_ERROR(hands_->Heal(NowMs()));
    std::this_thread::sleep_for(kTurn);
  }
  return absl::OkStatus();
}

absl::Status Game::Judge() {
  for (const Running& running : running_) {
    PlayedJob job;
    job.id = running.id;
    job.name = running.name;
    job.calm_sha256 = entries_[running.entry].calm_sha256;
    const auto ended = ended_.find(running.id);
    job.state = ended == ended_.end() ? "not ended" : StateName(ended->second.state());
    const absl::StatusOr<std::string> digest = DigestOfOutputs(
        address(), running.id, absl::StrCat(options_.folder, "/outputs/", running.name));
    if (digest.ok()) job.sha256 = *digest;
    say_(absl::StrCat(job.name, "  ", job.state, "  ",
                      job.sha256.empty()              ? std::string(digest.status().message())
                      : job.sha256 == job.calm_sha256 ? "the calm run's bytes"
                                                      : "OTHER BYTES than the calm run's"));
    result_.jobs.push_back(std::move(job));
  }
  return absl::OkStatus();
}

}  // namespace

bool GameResult::good() const {
  return leaks.empty() && std::all_of(jobs.begin(), jobs.end(), [](const PlayedJob& job) {
           return job.state == StateName(v1::SUCCEEDED) && job.sha256 == job.calm_sha256;
         });
}

absl::StatusOr<GameResult> Play(const GameOptions& options, const std::atomic<bool>& stop,
                                const std::function<void(const std::string&)>& say) {
  return Game(options, stop, say).Play();
}

}  // namespace baton::client::chaos
