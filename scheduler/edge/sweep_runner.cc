#include "scheduler/edge/sweep_runner.h"

#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "scheduler/edge/disk_room.h"
#include "scheduler/edge/sweep_check.h"
#include "scheduler/edge/sweep_wire.h"
#include "scheduler/sweep/sampler.h"

namespace baton::edge {
namespace {

state::TrialSuggested Over(state::TrialSuggested answer, const absl::Status& why) {
  answer.over = std::string(why.message());
  return answer;
}

}  // namespace

struct SweepRunner::Search {
  explicit Search(const state::Sweep& sweep) : sweep_spec(sweep.spec) {
    asked.id = sweep.id;
    asked.name = sweep.name;
    asked.plan = sweep.plan;
  }

  const std::shared_ptr<const state::JobSpec> sweep_spec;
  state::Sweep asked;  // without its trials; constant
  size_t told = 0;     // trials that were put into `fresh`; core's thread

  std::mutex mutex;
  std::vector<std::string> fresh;  // guarded by mutex: params of trials, not yet in `tried`

  // Of the one thread that answers.
  bool waits_for_disk = false;
  std::set<std::string> tried;
  std::optional<absl::StatusOr<v1::SweepPlan>> plan;
  std::optional<sweep::Sampler> sampler;

  state::TrialSuggested AnswerTo(int32_t index);
};

state::TrialSuggested SweepRunner::Search::AnswerTo(int32_t index) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (std::string& params : fresh) tried.insert(std::move(params));
    fresh.clear();
  }
  state::TrialSuggested answer;
  answer.sweep = asked.id;
  answer.index = index;
  if (!plan.has_value()) plan = PlanOf(asked);
  if (!plan->ok()) return Over(std::move(answer), plan->status());
  if (!sampler.has_value()) sampler.emplace(SpaceFromWire(**plan));
  const sweep::Suggestion drawn = sampler->Suggest(index, tried);
  answer.over = drawn.over;
  if (drawn.params_json.empty()) return answer;
  auto spec = TrialSpec(*sweep_spec, **plan, asked.id, index, drawn.params_json);
  if (!spec.ok()) return Over(std::move(answer), spec.status());
  answer.params_json = drawn.params_json;
  answer.spec = std::make_shared<const state::JobSpec>(*std::move(spec));
  return answer;
}

void SweepRunner::Attach(const Parts& parts) { parts_ = std::make_unique<Parts>(parts); }

std::shared_ptr<SweepRunner::Search> SweepRunner::SearchOf(const state::Sweep& sweep) {
  const auto known = searches_.find(sweep.id);
  if (known != searches_.end()) return known->second;
  return searches_.emplace(sweep.id, std::make_shared<Search>(sweep)).first->second;
}

// A sweep that has ended asks no more, and all its trials are in its search.
void SweepRunner::ForgetEnded(const state::Outputs& outputs, const state::State& state) {
  for (const state::SweepId& id : outputs.dirty_sweeps) {
    const auto at = state.sweeps.find(id);
    if (at == state.sweeps.end() || state::IsEnded(at->second.state)) searches_.erase(id);
  }
  for (const auto& sweep : outputs.deleted_sweeps) searches_.erase(sweep->id);
}

SweepRunner::Task SweepRunner::Suggest(const state::SuggestTrial& effect,
                                       const state::Sweep& sweep) {
  const std::shared_ptr<Search> search = SearchOf(sweep);
  {
    const std::lock_guard<std::mutex> lock(search->mutex);
    for (; search->told < sweep.trials.size(); ++search->told) {
      search->fresh.push_back(sweep.trials[search->told].params_json);
    }
  }
  return [this, search, index = effect.index](int64_t) -> std::optional<state::Event> {
    const absl::Status room = CheckDiskRoom(parts_->store);
    const bool had_room = !std::exchange(search->waits_for_disk, !room.ok());
    if (had_room && !room.ok()) {
      LogWarning(absl::StrCat("sweep ", search->asked.name, " makes no trials: ", room.message()));
    }
    if (!room.ok()) return std::nullopt;
    return search->AnswerTo(index);
  };
}

SweepRunner::Task SweepRunner::Read(const state::ReadTrial& effect, const state::Sweep& sweep,
                                    const state::State& state) {
  TrialReader::Trial trial{.sweep = sweep.id,
                           .index = effect.index,
                           .job = effect.job,
                           .metric = sweep.plan.metric,
                           .succeeded = false,
                           .reason = "",
                           .attempt = 0,
                           .ranks = {}};
  const state::Job& job = state.jobs.at(effect.job);
  trial.succeeded = job.state == state::JobState::kSucceeded;
  trial.reason = job.reason;
  if (job.history != nullptr && !job.history->attempts.empty()) {
    const state::Attempt& last = job.history->attempts.back();
    trial.attempt = last.number;
    for (const state::Task& task : last.tasks) trial.ranks.push_back(task.rank);
  }
  auto reader = std::make_shared<TrialReader>(std::move(trial));
  return [this, reader](int64_t monotonic_ms) -> std::optional<state::Event> {
    return reader->Read(parts_->sources, monotonic_ms);
  };
}

Release SweepRunner::Take(const Seen& seen) {
  std::vector<Task> found;
  const state::State& state = seen.core.state();
  ForgetEnded(*seen.outputs, state);
  for (const state::Effect& effect : seen.outputs->effects) {
    if (const auto* suggest = std::get_if<state::SuggestTrial>(&effect)) {
      found.push_back(Suggest(*suggest, state.sweeps.at(suggest->sweep)));
    } else if (const auto* read = std::get_if<state::ReadTrial>(&effect)) {
      found.push_back(Read(*read, state.sweeps.at(read->sweep), state));
    }
  }
  if (found.empty()) return nullptr;
  return [this, found = std::move(found)]() mutable {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (Task& task : found) tasks_.push_back(std::move(task));
    }
    Begin();
  };
}

void SweepRunner::Tick() { Begin(); }

void SweepRunner::Begin() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (working_ || tasks_.empty() || parts_ == nullptr) return;
    working_ = true;
  }
  if (parts_->work.Run([this] { Work(); }).ok()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  working_ = false;
}

// Each task once; what has no answer yet waits for the next tick.
void SweepRunner::Work() {
  std::deque<Task> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  std::deque<Task> open;
  for (Task& task : tasks) {
    std::optional<state::Event> answer = task(parts_->clock.MonotonicMillis());
    // An answer that is no more wanted is refused by the core, which is what it is for.
    if (answer.has_value() && !absl::IsResourceExhausted(parts_->driver.Post(
                                  Driver::Source::kWorker, *std::move(answer), nullptr))) {
      continue;
    }
    open.push_back(std::move(task));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Task& task : open) tasks_.push_back(std::move(task));
  working_ = false;
}

}  // namespace baton::edge
