// What a running job has lost and survived, and what it grows by, in words.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/machine.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;

std::string Seconds(int64_t ms) { return absl::StrFormat("%d.%03d s", ms / 1000, ms % 1000); }

std::string OneLossWords(const state::Loss& loss, const std::string& node) {
  std::string words = absl::StrCat("lost task ", loss.task, " on ", node, ", noticed by ",
                                   loss.detector, " after ", Seconds(loss.delay_ms));
  if (loss.recovery_ms < 0) return words;
  absl::StrAppend(&words, "; trained on ", Seconds(loss.recovery_ms), " later, ",
                  loss.steps_lost == 0
                      ? "no step was lost"
                      : absl::StrCat(loss.steps_lost,
                                     loss.steps_lost == 1 ? " step was lost" : " steps were lost"));
  return words;
}

}  // namespace

std::string Machine::ExplainRunning(const Job& job) const {
  constexpr size_t kLossesShown = 3;
  const Attempt& attempt = *job.LiveAttempt();
  std::vector<std::string> words = {
      absl::StrCat("attempt ", attempt.number, " runs on ", NodeNames(attempt))};
  if (job.state == JobState::kRescaling) {
    words.push_back(absl::StrCat("it changes to ", attempt.world_size,
                                 attempt.world_size == 1 ? " rank" : " ranks", " (generation ",
                                 attempt.generation, "), which have not finished a step yet"));
  }
  std::vector<std::string> losses;
  for (const state::Loss& loss : job.history->losses) {
    if (loss.attempt == attempt.number) losses.push_back(OneLossWords(loss, NodeName(loss.node)));
  }
  const size_t more = losses.size() > kLossesShown ? losses.size() - kLossesShown : 0;
  losses.erase(losses.begin(), losses.begin() + static_cast<int64_t>(more));
  words.insert(words.end(), losses.begin(), losses.end());
  if (more > 0) words.push_back(absl::StrCat("and ", more, " losses before"));
  for (const Task& task : attempt.tasks) {
    if (HasEnded(task) || IsMember(attempt, task.rank)) continue;
    const std::string which = absl::StrCat("task ", task.rank, " on ", NodeName(task.node));
    if (IsJoiner(task)) {
      words.push_back(absl::StrCat(which, task.ready ? " is ready to join" : " is to join"));
    } else {
      words.push_back(absl::StrCat(which, " leaves: ", task.let_go));
    }
  }
  const std::string errors = ErrorsOf(attempt);
  if (!errors.empty()) words.push_back(errors);
  return absl::StrJoin(words, "; ");
}

}  // namespace baton::core
