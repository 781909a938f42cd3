#include "scheduler/edge/driver.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "scheduler/state/event.h"

namespace baton::edge {

Driver::Driver(const Parts& parts, const Options& options,
               std::function<void(const absl::Status&)> on_failure)
    : parts_(parts),
      options_(options),
      on_failure_(std::move(on_failure)),
      index_(parts.core.state()),
      mailbox_(options.mailbox_max) {}

Driver::~Driver() { Shutdown(); }

void Driver::Start() {
  commits_ = std::make_unique<CommitThread>(parts_.store, parts_.term, options_.commit,
                                            [this](const absl::Status& status) { Fail(status); });
  thread_ = std::thread([this] { Loop(); });
}

void Driver::Shutdown() {
  mailbox_.Close();
  if (thread_.joinable()) thread_.join();
  if (commits_ != nullptr) commits_->Close();
}

absl::Status Driver::Post(Source source, state::Event event, View view) {
  return Enqueue({.from_client = source == Source::kClient,
                  .event = std::make_unique<state::Event>(std::move(event)),
                  .view = std::move(view)});
}

absl::Status Driver::Read(Source source, View view) {
  return Enqueue(
      {.from_client = source == Source::kClient, .event = nullptr, .view = std::move(view)});
}

absl::Status Driver::Enqueue(Request request) {
  const bool from_client = request.from_client;
  if (from_client && client_requests_.fetch_add(1) >= options_.client_requests_max) {
    client_requests_.fetch_sub(1);
    return absl::ResourceExhaustedError("the scheduler is busy; try again in a second");
  }
  if (mailbox_.TryPush(std::move(request))) return absl::OkStatus();
  if (from_client) client_requests_.fetch_sub(1);
  if (mailbox_.closed()) return absl::UnavailableError("the scheduler is ending; try again soon");
  return absl::ResourceExhaustedError("the scheduler is busy; try again in a second");
}

void Driver::Loop() {
  last_loop_ms_ = last_tick_ms_ = parts_.clock.MonotonicMillis();
  Apply(state::SchedulerStarted{.term = parts_.term}, nullptr);
  while (true) {
    // Looked at before taking: what was pushed before the closing is then still served.
    const bool closed = mailbox_.closed();
    std::vector<Request> requests = mailbox_.TakeAll(std::chrono::milliseconds(WaitMs()));
    if (failed_) return;
    Tick();
    for (Request& request : requests) Serve(std::move(request));
    if (parts_.clock.UnixMillis() >= parts_.core.NextDeadline()) {
      Apply(state::TimerFired{}, nullptr);
    }
    parts_.committer.Committed(commits_->committed());
    if (closed && requests.empty()) return;
  }
}

int64_t Driver::WaitMs() const {
  const int64_t tick_ms = last_tick_ms_ + options_.tick_ms - parts_.clock.MonotonicMillis();
  const int64_t deadline_ms = parts_.core.NextDeadline();
  const int64_t now_ms = parts_.clock.UnixMillis();
  const int64_t timer_ms = deadline_ms <= now_ms ? 0 : deadline_ms - now_ms;
  return std::max<int64_t>(0, std::min(tick_ms, timer_ms));
}

void Driver::Tick() {
  const int64_t now_ms = parts_.clock.MonotonicMillis();
  // A stopped process, a suspended machine or a stalled disk: nobody could be heard meanwhile.
  const bool gap = now_ms - last_loop_ms_ >= options_.lease_ms / 2;
  last_loop_ms_ = now_ms;
  if (!gap && now_ms - last_tick_ms_ < options_.tick_ms) return;
  last_tick_ms_ = now_ms;
  for (state::Event& event : parts_.edge.OnTick(now_ms, gap)) Apply(std::move(event), nullptr);
}

void Driver::Serve(Request request) {
  if (request.from_client) client_requests_.fetch_sub(1);
  if (failed_) return;
  if (request.event != nullptr) {
    Apply(std::move(*request.event), request.view);
    return;
  }
  const Seen seen{.core = parts_.core,
                  .index = index_,
                  .outputs = nullptr,
                  .now_ms = parts_.clock.UnixMillis()};
  commits_->Push(
      {.sequence = parts_.committer.last_sequence(), .batch = {}, .release = request.view(seen)});
}

void Driver::Apply(state::Event event, const View& view) {
  if (failed_) return;
  InternShared(event);
  const int64_t now_ms = parts_.clock.UnixMillis();
  const state::Outputs outputs = parts_.core.Step(event, now_ms);
  index_.Update(outputs.dirty_jobs);
  for (const auto& job : outputs.deleted_jobs) index_.Remove(*job);
  auto batch = parts_.committer.Make(parts_.core.state(), event, outputs, now_ms);
  if (!batch.ok()) {
    Fail(batch.status());
    return;
  }
  const Seen seen{.core = parts_.core, .index = index_, .outputs = &outputs, .now_ms = now_ms};
  Release effects = parts_.edge.OnApplied(seen);
  Release answer = view ? view(seen) : nullptr;
  Release both;
  if (effects && answer) {
    both = [effects = std::move(effects), answer = std::move(answer)] {
      effects();
      answer();
    };
  } else {
    both = effects ? std::move(effects) : std::move(answer);
  }
  commits_->Push({.sequence = parts_.committer.last_sequence(),
                  .batch = *std::move(batch),
                  .release = std::move(both)});
}

// Jobs of equal spec share one object, however many requests they came in.
void Driver::InternShared(state::Event& event) {
  if (auto* sweep = std::get_if<state::SweepSubmitted>(&event)) {
    sweep->submitter = parts_.shared.Intern(*sweep->submitter);
    sweep->spec = parts_.shared.Intern(*sweep->spec);
  }
  auto* submitted = std::get_if<state::JobsSubmitted>(&event);
  if (submitted == nullptr) return;
  submitted->submitter = parts_.shared.Intern(*submitted->submitter);
  const state::JobSpec* former = nullptr;
  std::shared_ptr<const state::JobSpec> interned;
  for (state::NewJob& job : submitted->jobs) {
    if (job.spec.get() != former) {
      former = job.spec.get();
      interned = parts_.shared.Intern(*job.spec);
    }
    job.spec = interned;
  }
}

void Driver::Fail(const absl::Status& status) {
  if (!failed_.exchange(true)) on_failure_(status);
}

}  // namespace baton::edge
