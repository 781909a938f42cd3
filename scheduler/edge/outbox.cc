#include "scheduler/edge/outbox.h"

#include <algorithm>

#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {

void Outbox::Signal() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!waiting_ || !(welcomed_ || end_.has_value())) return;
    waiting_ = false;
  }
  ready_();
}

void Outbox::Welcome(const v1::Welcome& welcome) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    v1::SchedulerMessage message;
    *message.mutable_welcome() = welcome;
    messages_.push_front(std::move(message));
    welcomed_ = true;
  }
  Signal();
}

void Outbox::SetWanted(std::vector<state::WantedTask> tasks) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (end_.has_value()) return;
    wanted_ = std::move(tasks);
    wanted_changed_ = true;
    standings_.clear();
    for (const state::WantedTask& task : wanted_) {
      standings_[{task.task.job, task.task.token}] = {task.generation, task.world_size};
    }
  }
  Signal();
}

void Outbox::Push(v1::SchedulerMessage message) {
  bool overflow = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (end_.has_value()) return;
    bytes_ += message.ByteSizeLong();
    messages_.push_back(std::move(message));
    overflow = messages_.size() > limits_.messages_max || bytes_ > limits_.bytes_max;
  }
  if (overflow) {
    Cut("the worker reads more slowly than the scheduler answers; connect again");
  } else {
    Signal();
  }
}

void Outbox::AckStream(const v1::TaskId& task, bool metrics, int64_t offset) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (end_.has_value()) return;
    stream_acks_[{task.job_id(), task.attempt(), task.rank(), task.token(), metrics}] = offset;
  }
  Signal();
}

void Outbox::Refuse(const std::string& reason) {
  v1::SchedulerMessage message;
  message.mutable_refused()->set_reason(reason);
  End(absl::OkStatus(), std::move(message));
}

void Outbox::Cut(const std::string& reason) { End(absl::AbortedError(reason), std::nullopt); }

void Outbox::End(absl::Status end, std::optional<v1::SchedulerMessage> last_words) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (end_.has_value()) return;
    end_ = std::move(end);
    wanted_changed_ = false;
    stream_acks_.clear();
    messages_.clear();
    if (last_words.has_value()) messages_.push_back(*std::move(last_words));
  }
  Signal();
}

// The spec of a task goes with its first mention in the session: one that joins a gang later may
// come to a node that has had others of the attempt.
v1::SchedulerMessage Outbox::MakeWanted() {
  v1::SchedulerMessage message;
  v1::WantedTasks* wanted = message.mutable_wanted();
  wanted->set_term(term_);
  wanted->set_sequence(++sequence_);
  std::set<TaskId> sent;
  for (const state::WantedTask& task : wanted_) {
    v1::WantedTask* to = wanted->add_tasks();
    *to = WantedToWire(task);
    const TaskId key{task.task.job, task.task.token, task.task.rank};
    if (specs_sent_.count(key) == 0) {
      // Damaged bytes go without a spec: the worker reports that it can't start the task.
      auto spec = SpecToWire(*task.spec, "");
      if (spec.ok()) *to->mutable_spec() = *std::move(spec);
      if (spec.ok() && add_extras_) add_extras_(to);
    }
    sent.insert(key);
  }
  specs_sent_ = std::move(sent);
  return message;
}

std::optional<v1::SchedulerMessage> Outbox::Take() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!welcomed_ && !end_.has_value()) {
    waiting_ = true;
    return std::nullopt;
  }
  if (!messages_.empty()) {
    v1::SchedulerMessage message = std::move(messages_.front());
    messages_.pop_front();
    const size_t size = message.ByteSizeLong();
    bytes_ -= std::min(bytes_, size);
    return message;
  }
  if (wanted_changed_) {
    wanted_changed_ = false;
    return MakeWanted();
  }
  if (!stream_acks_.empty()) {
    const auto first = stream_acks_.begin();
    v1::SchedulerMessage message;
    v1::StreamAck* ack = message.mutable_stream_ack();
    const auto& [job, attempt, rank, token, metrics] = first->first;
    ack->mutable_task()->set_job_id(job);
    ack->mutable_task()->set_attempt(attempt);
    ack->mutable_task()->set_rank(rank);
    ack->mutable_task()->set_token(token);
    ack->set_metrics(metrics);
    ack->set_offset(first->second);
    stream_acks_.erase(first);
    return message;
  }
  waiting_ = true;
  return std::nullopt;
}

std::optional<absl::Status> Outbox::end() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return messages_.empty() ? end_ : std::nullopt;
}

std::optional<Standing> Outbox::StandingOf(const state::JobId& job, state::Token token) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto at = standings_.find({job, token});
  return at == standings_.end() ? std::nullopt : std::optional<Standing>(at->second);
}

}  // namespace baton::edge
