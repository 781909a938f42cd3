#include "scheduler/sim/scheduler.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "scheduler/sim/event_words.h"
#include "scheduler/sim/sweeps.h"
#include "scheduler/store/recover.h"

namespace baton::sim {
namespace {

constexpr int64_t kTickMs = 500;
constexpr uint64_t kTimersInARowMax = 10'000;

}  // namespace

Scheduler::Scheduler(Context& context, Fabric& fabric, Checkers& checkers,
                     const state::Config& config)
    : context_(context), fabric_(fabric), checkers_(checkers), config_(config) {}

Scheduler::~Scheduler() = default;

void Scheduler::In(int64_t delay_ms, std::function<void()> action) {
  context_.agenda.In(delay_ms, [this, life = life_, action = std::move(action)] {
    if (life == life_) action();
  });
}

void Scheduler::Start() {
  store_.Reopen();
  ++life_;
  auto process = std::make_unique<Process>();
  const auto term = store_.TakeTerm();
  if (!term.ok()) return context_.Fail(term.status().ToString());
  process->term = *term;
  const absl::Status schema = store::PrepareSchema(store_, *term);
  if (!schema.ok()) return context_.Fail(schema.ToString());
  auto recovered = store::Recover(store_, config_);
  if (!recovered.ok()) return context_.Fail(recovered.status().ToString());
  checkers_.OnRecovered(recovered->state);
  process->started_ms = context_.now_ms();
  process->shared = std::move(recovered->shared);
  process->core = std::make_unique<core::Core>(std::move(recovered->state));
  // Small segments, so that they begin in the middle of things and old ones go.
  auto committer = store::Committer::Open(store_, process->shared,
                                          {.core_version = core::kVersion,
                                           .segment_bytes = 100'000,
                                           .segment_records = 200,
                                           .log_bytes = 2'000'000});
  if (!committer.ok()) return context_.Fail(committer.status().ToString());
  process->committer = std::make_unique<store::Committer>(*std::move(committer));
  process_ = std::move(process);
  if (context_.tracing()) context_.Trace(absl::StrCat("scheduler up, term ", process_->term));
  MeetZombie();
  Apply(state::SchedulerStarted{.term = process_->term}, nullptr);
  BookTick();
}

// The scheduler of the term before was only asleep, and wants to commit something.
void Scheduler::MeetZombie() {
  if (process_->term == 1 || !context_.random.Chance(1, 4)) return;
  context_.probes.Hit("former scheduler refused");
  if (!absl::IsFailedPrecondition(store_.Commit(process_->term - 1, {}))) {
    context_.Fail("a commit of a former term was accepted");
  }
  store_.Reopen();
}

void Scheduler::Crash() {
  if (process_ == nullptr) return;
  if (context_.tracing()) context_.Trace("scheduler CRASH");
  if (!process_->in_flight.empty() && context_.random.Chance(1, 2)) {
    context_.probes.Hit("crash after the disk, before the answer");
    std::vector<store::Batch> batches;
    for (const Waiting& waiting : process_->in_flight) batches.push_back(waiting.batch);
    store_.Commit(process_->term, batches).IgnoreError();
  } else if (!process_->in_flight.empty() || !process_->queue.empty()) {
    context_.probes.Hit("crash with uncommitted events");
  }
  const std::map<uint64_t, state::NodeId> open = process_->node_of;
  process_.reset();
  ++life_;
  for (const auto& [connection, node] : open) fabric_.Close(connection);
}

void Scheduler::Call(const state::Event& event, Answer answer) {
  if (up()) Apply(event, std::move(answer));
}

void Scheduler::Intern(state::Event& event) {
  if (auto* sweep = std::get_if<state::SweepSubmitted>(&event)) {
    sweep->submitter = process_->shared.Intern(*sweep->submitter);
    sweep->spec = process_->shared.Intern(*sweep->spec);
  }
  auto* submitted = std::get_if<state::JobsSubmitted>(&event);
  if (submitted == nullptr) return;
  submitted->submitter = process_->shared.Intern(*submitted->submitter);
  for (state::NewJob& job : submitted->jobs) job.spec = process_->shared.Intern(*job.spec);
}

void Scheduler::Apply(state::Event event, Answer answer) {
  Intern(event);
  ++events_;
  Waiting waiting;
  waiting.outputs = process_->core->Step(event, context_.now_ms());
  if (context_.tracing()) {
    context_.Trace(absl::StrCat(
        "#", events_, " ", Words(event), waiting.outputs.reply.ok() ? "" : " -> ",
        waiting.outputs.reply.ok() ? "" : std::string(waiting.outputs.reply.message())));
    for (const state::Note& note : waiting.outputs.notes) {
      context_.Trace(absl::StrCat("    ", note.job, " ", note.code, ": ", note.text));
    }
  }
  auto batch =
      process_->committer->Make(process_->core->state(), event, waiting.outputs, context_.now_ms());
  if (!batch.ok()) return context_.Fail(batch.status().ToString());
  waiting.batch = *std::move(batch);
  waiting.sequence = process_->committer->last_sequence();
  for (const store::Put& put : waiting.batch.puts) context_.Digest(put.value);
  checkers_.OnApplied(*process_->core, event, waiting.outputs, context_.now_ms());
  waiting.answer = std::move(answer);
  process_->queue.push_back(std::move(waiting));
  if (process_->in_flight.empty()) BeginCommit();
  BookTimer();
}

void Scheduler::BookTimer() {
  const int64_t due_ms = process_->core->NextDeadline();
  if (due_ms == INT64_MAX || process_->timer_ms <= std::max(due_ms, context_.now_ms())) return;
  process_->timer_ms = std::max(due_ms, context_.now_ms());
  In(process_->timer_ms - context_.now_ms(), [this, booked_ms = process_->timer_ms] {
    if (booked_ms != process_->timer_ms) return;
    process_->timer_ms = INT64_MAX;
    if (process_->core->NextDeadline() > context_.now_ms()) return BookTimer();
    if (++process_->timers_in_a_row > kTimersInARowMax) {
      return context_.Fail("a deadline is never satisfied: the timer fires for ever");
    }
    Apply(state::TimerFired{}, nullptr);
  });
}

void Scheduler::BookTick() {
  In(kTickMs, [this] {
    process_->timers_in_a_row = 0;
    Tick();
    if (process_ != nullptr) BookTick();
  });
}

// Leases: renewed by whatever is heard, and by heartbeats, which are not simulated one by one.
void Scheduler::Tick() {
  std::vector<state::NodeLost> lost;
  for (const auto& [id, node] : process_->core->state().nodes) {
    if (!node.up) continue;
    Session& session = process_->sessions[id];
    if (session.connection != 0 && fabric_.IsHeard(session.connection)) {
      session.last_heard_ms = context_.now_ms();
      session.progress = fabric_.Progress(session.connection);
    }
    const int64_t since_ms = std::max(session.last_heard_ms, process_->started_ms);
    if (context_.now_ms() - since_ms < config_.lease_ms) continue;
    context_.probes.Hit("lease ran out");
    lost.push_back({.node = id,
                    .incarnation = node.offer.incarnation,
                    .cause = "silent for its lease",
                    .last_heard_ms = session.last_heard_ms,
                    .tasks = session.progress});
  }
  for (state::NodeLost& event : lost) Apply(std::move(event), nullptr);
}

void Scheduler::BeginCommit() {
  process_->in_flight.assign(std::make_move_iterator(process_->queue.begin()),
                             std::make_move_iterator(process_->queue.end()));
  process_->queue.clear();
  int64_t takes_ms = context_.random.Between(0, 8);
  if (context_.Chance(context_.chaos.slow_commit)) {
    context_.probes.Hit("slow commit");
    takes_ms += context_.random.Between(50, 3000);
  }
  if (context_.Chance(context_.chaos.failed_commit)) {
    const bool left = context_.random.Chance(1, 2);
    context_.probes.Hit(left ? "failed commit that is on disk" : "failed commit");
    store_.FailNextCommit(
        absl::ResourceExhaustedError("the disk is full"),
        left ? store::MemoryStore::Left::kEverything : store::MemoryStore::Left::kNothing);
  }
  In(takes_ms, [this] { EndCommit(); });
}

void Scheduler::EndCommit() {
  std::vector<store::Batch> batches;
  for (Waiting& waiting : process_->in_flight) batches.push_back(std::move(waiting.batch));
  const absl::Status stored = store_.Commit(process_->term, batches);
  if (!stored.ok()) {
    if (context_.tracing()) context_.Trace(absl::StrCat("commit failed: ", stored.message()));
    process_->in_flight.clear();
    return Crash();
  }
  const std::vector<Waiting> released = std::exchange(process_->in_flight, {});
  process_->committer->Committed(released.back().sequence);
  for (const Waiting& waiting : released) Release(waiting);
  if (!process_->queue.empty()) BeginCommit();
}

void Scheduler::Release(const Waiting& waiting) {
  if (!waiting.outputs.effects.empty() || waiting.answer != nullptr) {
    checkers_.OnReleased(store_, waiting.sequence, waiting.outputs);
  }
  for (const state::Effect& effect : waiting.outputs.effects) Tell(effect);
  if (waiting.answer != nullptr) waiting.answer(waiting.outputs);
}

void Scheduler::Tell(const state::Effect& effect) {
  const auto say = [this](const state::NodeId& node, const std::string* incarnation,
                          const ToWorker& message) {
    const auto session = process_->sessions.find(node);
    if (session == process_->sessions.end() || session->second.connection == 0) return;
    if (incarnation != nullptr && session->second.incarnation != *incarnation) return;
    fabric_.Say(session->second.connection, message);
  };
  if (const auto* wanted = std::get_if<state::SendWanted>(&effect)) {
    say(wanted->node, &wanted->incarnation,
        Wanted{.term = process_->term,
               .sequence = ++process_->wanted_sequence,
               .tasks = wanted->tasks});
  } else if (const auto* report = std::get_if<state::AckReport>(&effect)) {
    say(report->node, nullptr, *report);
  } else if (const auto* checkpoint = std::get_if<state::AckCheckpoint>(&effect)) {
    say(checkpoint->node, nullptr, *checkpoint);
  } else if (const auto* probe = std::get_if<state::ProbeNodes>(&effect)) {
    say(probe->node, &probe->incarnation, *probe);
  } else if (const auto* suggest = std::get_if<state::SuggestTrial>(&effect)) {
    AnswerLater(*suggest);
  } else if (const auto* read = std::get_if<state::ReadTrial>(&effect)) {
    AnswerLater(*read);
  }
}

template <typename Question>
void Scheduler::AnswerLater(const Question& question) {
  const auto answer = [this, question] {
    if constexpr (std::is_same_v<Question, state::SuggestTrial>) {
      Apply(sim::Answer(question, process_->core->state()), nullptr);
    } else {
      Apply(sim::Answer(question), nullptr);
    }
  };
  if (context_.Chance(context_.chaos.doubled)) {
    context_.probes.Hit("question about a sweep answered twice");
    In(context_.random.Between(0, 3000), answer);
  }
  In(context_.random.Between(0, 1000), answer);
}

void Scheduler::Hear(uint64_t connection, const ToScheduler& message) {
  if (!up()) return;
  if (const auto* hello = std::get_if<state::NodeJoined>(&message)) {
    Session& session = process_->sessions[hello->offer.id];
    if (session.connection != 0 && session.connection != connection) {
      context_.probes.Hit("session superseded");
      process_->node_of.erase(session.connection);
      fabric_.Close(session.connection);
    }
    session.connection = connection;
    session.incarnation = hello->offer.incarnation;
    session.last_heard_ms = context_.now_ms();
    process_->node_of[connection] = hello->offer.id;
    return Apply(*hello, nullptr);
  }
  const auto node = process_->node_of.find(connection);
  if (node == process_->node_of.end()) return;
  const Session& session = process_->sessions.at(node->second);
  if (std::holds_alternative<Goodbye>(message)) {
    return Apply(state::NodeLost{.node = node->second,
                                 .incarnation = session.incarnation,
                                 .cause = "said goodbye",
                                 .last_heard_ms = context_.now_ms(),
                                 .tasks = {}},
                 nullptr);
  }
  std::visit(
      [this](const auto& event) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(event)>, Goodbye>) {
          Apply(event, nullptr);
        }
      },
      message);
}

void Scheduler::Disconnected(uint64_t connection, bool died) {
  if (!up()) return;
  const auto node = process_->node_of.find(connection);
  if (node == process_->node_of.end()) return;
  const state::NodeId id = node->second;
  process_->node_of.erase(node);
  Session& session = process_->sessions.at(id);
  if (session.connection != connection) return;
  session.connection = 0;
  if (!died) return;
  Apply(state::NodeLost{.node = id,
                        .incarnation = session.incarnation,
                        .cause = "connection closed",
                        .last_heard_ms = session.last_heard_ms,
                        .tasks = session.progress},
        nullptr);
}

}  // namespace baton::sim
