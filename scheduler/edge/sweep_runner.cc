#include "scheduler/edge/sweep_runner.h"

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

// A copy of what the sampler needs, away from the core's thread.
struct Question {
  state::Sweep sweep;  // without its trials
  int32_t index = 0;
  std::set<std::string> earlier;
};

state::TrialSuggested AnswerTo(const Question& question) {
  state::TrialSuggested answer;
  answer.sweep = question.sweep.id;
  answer.index = question.index;
  const auto plan = PlanOf(question.sweep);
  if (!plan.ok()) {
    answer.over = std::string(plan.status().message());
    return answer;
  }
  const sweep::Suggestion drawn =
      sweep::Suggest(SpaceFromWire(*plan), question.index, question.earlier);
  answer.over = drawn.over;
  if (drawn.params_json.empty()) return answer;
  auto spec =
      TrialSpec(*question.sweep.spec, *plan, question.sweep.id, question.index, drawn.params_json);
  if (!spec.ok()) {
    answer.over = std::string(spec.status().message());
    return answer;
  }
  answer.params_json = drawn.params_json;
  answer.spec = std::make_shared<const state::JobSpec>(*std::move(spec));
  return answer;
}

}  // namespace

void SweepRunner::Attach(const Parts& parts) { parts_ = std::make_unique<Parts>(parts); }

SweepRunner::Task SweepRunner::Suggest(const state::SuggestTrial& effect,
                                       const state::Sweep& sweep) {
  auto question = std::make_shared<Question>();
  question->sweep.id = sweep.id;
  question->sweep.name = sweep.name;
  question->sweep.plan = sweep.plan;
  question->sweep.spec = sweep.spec;
  question->index = effect.index;
  for (const state::Trial& trial : sweep.trials) question->earlier.insert(trial.params_json);
  return [this, question](int64_t) -> std::optional<state::Event> {
    if (!CheckDiskRoom(parts_->store).ok()) return std::nullopt;
    return AnswerTo(*question);
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
