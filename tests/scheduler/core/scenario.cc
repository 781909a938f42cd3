#include "tests/scheduler/core/scenario.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "scheduler/state/job_state.h"
#include "tests/scheduler/core/copy.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;

std::string Stage(const std::string& text, state::TaskStage* stage) {
  for (const auto s :
       {state::TaskStage::kPrepared, state::TaskStage::kRunning, state::TaskStage::kFirstStep,
        state::TaskStage::kExited, state::TaskStage::kFailed}) {
    if (text != Name(s)) continue;
    *stage = s;
    return "";
  }
  return absl::StrCat("unknown stage ", text, "\n");
}

std::string Signed(const std::string& key, const Words& words) {
  std::string text = words.Text(key, "");
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

}  // namespace

Scenario::Scenario() { Start(state::State()); }

void Scenario::Start(state::State state) {
  core_ = std::make_unique<Core>(std::move(state));
  checker_ = std::make_unique<InvariantChecker>(*core_);
}

std::string Scenario::Run(const std::string& line) {
  const Words words = Words::Parse(line);
  const std::string& c = words.command;
  if (c == "config") {
    state::State fresh;
    fresh.config.lease_ms = words.Millis("lease", fresh.config.lease_ms);
    fresh.config.start_deadline_ms = words.Millis("start", fresh.config.start_deadline_ms);
    Start(std::move(fresh));
    return "";
  }
  if (c == "node") return Node(words);
  if (c == "submit") return Submit(words);
  if (c == "report") return Report(words);
  if (c == "checkpoint") return Checkpoint(words);
  if (c == "lose") return Lose(words);
  if (c == "lost" || c == "ready") return Member(words);
  if (c == "probe") return Probe(words);
  if (c == "after") return Advance(ParseMillis(words.plain.at(0)));
  if (c == "restart") return Restart();
  if (c == "show") return ShowJob(words.plain.at(0));
  if (c == "ledger") return Ledger(words.plain.at(0));
  if (c == "risk") return Risk(words.plain.at(0));
  if (c == "why") return core_->Explain(IdOf(words.plain.at(0)), now_ms_) + "\n";
  if (c == "cancel") return Apply(state::JobCancelled{IdOf(words.plain.at(0)), "ann"});
  if (c == "pause") return Apply(state::JobPaused{IdOf(words.plain.at(0)), "ann"});
  if (c == "resume") return Apply(state::JobResumed{IdOf(words.plain.at(0)), "ann"});
  if (c == "delete") return Apply(state::JobDeleted{IdOf(words.plain.at(0)), "ann"});
  if (c == "retry") {
    return Apply(state::JobRetried{IdOf(words.plain.at(0)), "ann", words.Text("from", "")});
  }
  const bool sweep = c == "sweep" || c == "suggest" || c == "tell" || c == "stop" ||
                     c == "delete-sweep" || c == "trials";
  return sweep ? Sweep(words) : NodeCommand(words);
}

std::string Scenario::NodeCommand(const Words& words) {
  const std::string& c = words.command;
  const std::string node = words.plain.empty() ? "" : words.plain[0];
  const std::string incarnation = offers_[node].incarnation;
  if (c == "drain") {
    return Apply(state::NodeDrained{node, Signed("reason", words), words.Millis("grace", 0)});
  }
  if (c == "undrain") return Apply(state::NodeUndrained{node});
  if (c == "withdraw") return Apply(state::NoticeWithdrawn{node, incarnation});
  if (c == "notice") {
    state::NodeNoticed event;
    event.node = node;
    event.incarnation = incarnation;
    event.notice.source = "file";
    event.notice.kind = words.Text("kind", "preempt");
    event.notice.certain = event.notice.kind != "rebalance";
    event.notice.noticed_ms = now_ms_;
    const int64_t in_ms = words.Millis("in", 0);
    event.notice.deadline_ms = in_ms == 0 ? 0 : now_ms_ + in_ms;
    return Apply(event);
  }
  return absl::StrCat("unknown command ", c, "\n");
}

std::string Scenario::Node(const Words& words) {
  state::NodeJoined event;
  state::NodeOffer& offer = event.offer;
  offer = offers_[words.plain.at(0)];
  offer.id = words.plain.at(0);
  offer.name = offer.id;
  offer.incarnation =
      words.Text("incarnation", offer.incarnation.empty() ? "1" : offer.incarnation);
  offer.cpus_milli = static_cast<int32_t>(words.Number("cpus", 2) * 1000);
  offer.memory_bytes = words.Number("memory_gib", 8) << 30;
  offer.disk_free_bytes = words.Number("disk_gib", 1024) << 30;
  offer.device_kind = words.Text("kind", "cpu");
  offer.host_id = words.Text("host", "local");
  offer.spot = words.Text("capacity", "spot") == "spot";
  offer.price_usd_micro_per_hour = words.Number("price", offer.spot ? 30'000 : 100'000);
  offer.on_demand_usd_micro_per_hour = 100'000;
  offer.data_addresses = {words.Text("address", "127.0.0.1")};
  offer.probe_port = static_cast<int32_t>(words.Number("probe", 4711));
  offer.version = "0.1";
  offer.gpus.clear();
  for (int32_t i = 0; i < words.Number("gpus", 0); ++i) {
    offer.gpus.push_back({i, words.Text("gpu_type", "h100"), int64_t{80} << 30});
  }
  offer.labels.clear();
  for (const auto& label : absl::StrSplit(words.Text("labels", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(label, ':');
    offer.labels.push_back({pair.at(0), pair.at(1)});
  }
  offers_[offer.id] = offer;
  // tasks=lenet/0:running,lenet/1:exited: what the hello tells of the live attempts.
  for (const auto& told : absl::StrSplit(words.Text("tasks", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(told, ':');
    state::TaskReported report;
    report.task = KeyOf(Words::Parse(absl::StrCat("report ", pair.at(0))));
    if (std::string wrong = Stage(pair.at(1), &report.stage); !wrong.empty()) return wrong;
    report.at_ms = now_ms_;
    event.tasks.push_back(report);
  }
  return Apply(event);
}

std::string Scenario::Submit(const Words& words) {
  auto spec = std::make_shared<state::JobSpec>();
  const std::vector<std::string> ranks = absl::StrSplit(words.Text("ranks", "1"), "..");
  BATON_CHECK(absl::SimpleAtoi(ranks.front(), &spec->ranks_min), "ranks");
  BATON_CHECK(absl::SimpleAtoi(ranks.back(), &spec->ranks_max), "ranks");
  spec->shards = static_cast<int32_t>(words.Number("shards", 0));
  spec->ranks_per_node = static_cast<int32_t>(words.Number("ranks_per_node", 0));
  spec->resources.cpus_milli = static_cast<int32_t>(words.Number("cpus", 1) * 1000);
  spec->resources.memory_bytes = words.Number("memory_gib", 0) << 30;
  // any_of=h100:1,l4:2: a type and a number of GPUs each.
  for (const auto& other : absl::StrSplit(words.Text("any_of", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(other, ':');
    state::Resources need = spec->resources;
    need.gpu_type = pair.at(0);
    BATON_CHECK(absl::SimpleAtoi(pair.at(1), &need.gpus), "any_of");
    spec->any_of.push_back(need);
  }
  spec->resources.disk_bytes = words.Number("disk_gib", 0) << 30;
  spec->resources.gpus = static_cast<int32_t>(words.Number("gpus", 0));
  spec->resources.gpu_type = words.Text("gpu_type", "");
  spec->retries = static_cast<int32_t>(words.Number("retries", 3));
  spec->notice_grace_ms = words.Millis("grace", 0);
  spec->project = words.Text("project", "default");
  spec->priority = static_cast<int32_t>(words.Number("priority", 0));
  spec->time_limit_ms = words.Millis("limit", 0);
  spec->prepare_limit_ms = words.Millis("prepare", 0);
  spec->checkpoints_kept = static_cast<int32_t>(words.Number("keep", 3));
  if (const std::string from = words.Text("from", ""); !from.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(from, '@');
    spec->from_job = IdOf(parts.front());
    if (parts.size() > 1) spec->from_checkpoint = parts.back();
  }
  spec->queue_anyway = words.Number("queue_anyway", 0) != 0;
  const std::string capacity = words.Text("capacity", "auto");
  spec->capacity = capacity == "spot"        ? state::Capacity::kSpot
                   : capacity == "on-demand" ? state::Capacity::kOnDemand
                                             : state::Capacity::kAuto;
  for (const auto& label : absl::StrSplit(words.Text("require", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(label, ':');
    spec->require.push_back({pair.at(0), pair.at(1)});
  }
  state::JobsSubmitted event;
  event.request_id = words.Text("request", absl::StrCat("request-", ++requests_));
  event.request_digest = static_cast<uint64_t>(words.Number("digest", 1));
  for (const std::string& name : words.plain) event.jobs.push_back({IdOf(name), name, spec});
  return Apply(event);
}

// "lenet/1", and of the live attempt unless attempt= or token= say otherwise.
state::TaskKey Scenario::KeyOf(const Words& words) const {
  const std::vector<std::string> parts = absl::StrSplit(words.plain.at(0), '/');
  state::TaskKey key;
  key.job = IdOf(parts.at(0));
  BATON_CHECK(absl::SimpleAtoi(parts.at(1), &key.rank), "rank");
  const auto job = core_->state().jobs.find(key.job);
  if (job != core_->state().jobs.end() && job->second.history != nullptr &&
      !job->second.history->attempts.empty()) {
    const auto& attempts = job->second.history->attempts;
    key.attempt = static_cast<int32_t>(words.Number("attempt", attempts.back().number));
    for (const Attempt& a : attempts) {
      if (a.number == key.attempt) key.token = a.token;
    }
  }
  key.token = static_cast<uint64_t>(words.Number("token", static_cast<int64_t>(key.token)));
  return key;
}

std::string Scenario::Report(const Words& words) {
  state::TaskReported report;
  report.task = KeyOf(words);
  if (std::string wrong = Stage(words.plain.at(1), &report.stage); !wrong.empty()) return wrong;
  const auto job = core_->state().jobs.find(report.task.job);
  if (job != core_->state().jobs.end() && job->second.history != nullptr &&
      !job->second.history->attempts.empty()) {
    for (const state::Task& task : job->second.history->attempts.back().tasks) {
      if (task.rank == report.task.rank) report.node = task.node;
    }
  }
  report.node = words.Text("node", report.node);
  report.incarnation = words.Text("incarnation", offers_[report.node].incarnation);
  report.at_ms = now_ms_ - words.Millis("ago", 0);
  report.exit_code = static_cast<int32_t>(words.Number("code", 0));
  report.error = Signed("error", words);
  report.infrastructure = words.Number("infrastructure", 0) != 0;
  report.bad_checkpoint = words.Text("bad", "");
  report.environment = words.Text("environment", "");
  report.output_digest = words.Text("output", "");
  report.first_step = words.Number("first", 0);
  report.first_step_ms = report.first_step == 0 ? 0 : now_ms_ - words.Millis("first_ago", 0);
  report.last_step = words.Number("step", 0);
  report.last_step_ms = report.last_step == 0 ? 0 : now_ms_ - words.Millis("step_ago", 0);
  report.generation = static_cast<uint64_t>(words.Number("generation", 0));
  report.generation_step = words.Number("formed", 0);
  if (report.generation > 1) {
    report.generation_step_ms = now_ms_ - words.Millis("generation_ago", 0);
  }
  report.setup_ms = words.Millis("setup", 0);
  report.restore_ms = words.Millis("restore", 0);
  report.save_ms = words.Millis("save", 0);
  if (report.stage == state::TaskStage::kPrepared) {
    report.address = words.Text("address", absl::StrCat("host-", report.node));
    report.port = 7000 + report.task.rank;
  }
  return Apply(report);
}

// What the worker of a task relays of what it says at the rendezvous.
std::string Scenario::Member(const Words& words) {
  const state::TaskKey key = KeyOf(words);
  const Attempt& attempt = core_->state().jobs.at(key.job).history->attempts.back();
  const state::NodeId node =
      words.Text("node", attempt.tasks.at(static_cast<size_t>(key.rank)).node);
  const std::string incarnation = words.Text("incarnation", offers_[node].incarnation);
  if (words.command == "ready") return Apply(state::MemberReady{key, node, incarnation});
  return Apply(state::LossReported{.task = key,
                                   .node = node,
                                   .incarnation = incarnation,
                                   .generation = static_cast<uint64_t>(words.Number(
                                       "generation", static_cast<int64_t>(attempt.generation))),
                                   .lost_rank = static_cast<int32_t>(words.Number("rank", 0))});
}

std::string Scenario::Checkpoint(const Words& words) {
  state::CheckpointUploaded event;
  event.task = KeyOf(words);
  const auto& job = core_->state().jobs.at(event.task.job);
  for (const state::Task& task : job.history->attempts.back().tasks) {
    if (task.rank == event.task.rank) event.node = task.node;
  }
  event.node = words.Text("node", event.node);
  event.step = words.Number("step", 0);
  event.name = words.Text("name", absl::StrCat("step-", event.step));
  event.manifest_digest = words.Text("digest", "d-" + event.name);
  event.bytes = words.Number("bytes", 1000);
  event.taken_ms = now_ms_ - words.Millis("ago", 0);
  return Apply(event);
}

std::string Scenario::Lose(const Words& words) {
  state::NodeLost event;
  event.node = words.plain.at(0);
  event.incarnation = words.Text("incarnation", offers_[event.node].incarnation);
  event.cause = Signed("cause", words);
  if (event.cause.empty()) event.cause = "connection closed";
  event.last_heard_ms = now_ms_ - words.Millis("heard_ago", 0);
  // heard=lenet/0:17: the last step that was heard of.
  for (const auto& told : absl::StrSplit(words.Text("heard", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(told, ':');
    state::LastHeard last;
    last.task = KeyOf(Words::Parse(absl::StrCat("report ", pair.at(0))));
    BATON_CHECK(absl::SimpleAtoi(pair.at(1), &last.step), "heard");
    last.step_ms = event.last_heard_ms;
    event.tasks.push_back(last);
  }
  return Apply(event);
}

// "probe a b": both ways; "a>b": one of them.
std::string Scenario::Probe(const Words& words) {
  state::NodesProbed event;
  const auto tell = [&](const std::string& from, const std::string& to) {
    event.nodes.push_back(
        {.node = from,
         .incarnation = words.Text("incarnation", offers_[from].incarnation),
         .results = {{.to = to,
                      .port = static_cast<int32_t>(words.Number("port", offers_[to].probe_port)),
                      .error = Signed("error", words)}}});
  };
  for (const std::string& a : words.plain) {
    const std::vector<std::string> pair = absl::StrSplit(a, '>');
    if (pair.size() == 2) tell(pair[0], pair[1]);
    if (pair.size() == 2) continue;
    for (const std::string& b : words.plain) {
      if (a != b && b.find('>') == std::string::npos) tell(a, b);
    }
  }
  return Apply(event);
}

std::string Scenario::Advance(int64_t by_ms) {
  const int64_t until_ms = now_ms_ + by_ms;
  std::string told;
  while (core_->NextDeadline() <= until_ms) {
    now_ms_ = std::max(now_ms_, core_->NextDeadline());
    const std::string more = Apply(state::TimerFired{});
    if (!more.empty()) absl::StrAppend(&told, "at ", now_ms_ - kStartMs, " ms:\n", more);
  }
  now_ms_ = until_ms;
  return told;
}

std::string Scenario::Restart() {
  Start(CopyOf(core_->state()));
  return Apply(state::SchedulerStarted{++term_});
}

std::string Scenario::Apply(const state::Event& event) {
  const Outputs outputs = core_->Step(event, now_ms_);
  std::string wrong = checker_->AfterStep(*core_, event, outputs, now_ms_);
  if (wrong.empty()) wrong = checker_->Everything(*core_, now_ms_);
  return absl::StrCat(Told(outputs), wrong.empty() ? "" : "BROKEN INVARIANT: ", wrong,
                      wrong.empty() ? "" : "\n");
}

}  // namespace baton::core
