#include "scheduler/sim/event_words.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/state/job_state.h"

namespace baton::sim {
namespace {

using absl::StrAppend;
using absl::StrCat;

std::string Key(const state::TaskKey& task) {
  return StrCat(task.job, "/", task.attempt, "/", task.rank, " token ", task.token);
}

struct EventWords {
  std::string operator()(const state::SchedulerStarted& e) {
    return StrCat("scheduler started, term ", e.term);
  }
  std::string operator()(const state::JobsSubmitted& e) {
    std::string words = StrCat("submit ", e.request_id);
    for (const auto& job : e.jobs) {
      StrAppend(&words, " ", job.id, " (ranks ", job.spec->ranks_min, "..", job.spec->ranks_max,
                ")");
    }
    return words;
  }
  std::string operator()(const state::JobCancelled& e) { return StrCat("cancel ", e.job); }
  std::string operator()(const state::JobRetried& e) { return StrCat("retry ", e.job); }
  std::string operator()(const state::NodeJoined& e) {
    std::string words = StrCat("joined ", e.offer.name, " ", e.offer.incarnation);
    for (const auto& task : e.tasks) {
      StrAppend(&words, ", ", Key(task.task), " ", state::Name(task.stage));
    }
    return words;
  }
  std::string operator()(const state::NodeLost& e) {
    return StrCat("lost ", e.node, " ", e.incarnation, ": ", e.cause);
  }
  std::string operator()(const state::NodeDrained& e) { return StrCat("drain ", e.node); }
  std::string operator()(const state::NodeUndrained& e) { return StrCat("undrain ", e.node); }
  std::string operator()(const state::NodeNoticed& e) {
    return StrCat("notice ", e.node, " until ", e.notice.deadline_ms,
                  e.notice.certain ? "" : ", uncertain");
  }
  std::string operator()(const state::NoticeWithdrawn& e) {
    return StrCat("notice withdrawn ", e.node);
  }
  std::string operator()(const state::TaskReported& e) {
    std::string words =
        StrCat("report ", Key(e.task), " from ", e.node, ": ", state::Name(e.stage));
    if (e.stage == state::TaskStage::kExited) StrAppend(&words, " with ", e.exit_code);
    if (e.last_step != 0) StrAppend(&words, ", step ", e.last_step);
    if (!e.error.empty()) StrAppend(&words, ", ", e.error);
    return words;
  }
  std::string operator()(const state::CheckpointUploaded& e) {
    return StrCat("checkpoint ", Key(e.task), " ", e.name, " of step ", e.step);
  }
  std::string operator()(const state::TimerFired&) { return "timer"; }
  std::string operator()(const state::JobPaused& e) { return StrCat("pause ", e.job); }
  std::string operator()(const state::JobDeleted& e) { return StrCat("delete ", e.job); }
  std::string operator()(const state::JobResumed& e) { return StrCat("resume ", e.job); }
  std::string operator()(const state::SweepSubmitted& e) {
    return StrCat("sweep ", e.id, " of up to ", e.plan.trials_max, " trials");
  }
  std::string operator()(const state::SweepDeleted& e) { return StrCat("delete sweep ", e.sweep); }
  std::string operator()(const state::LossReported& e) {
    return StrCat("lost ", Key(e.task), " misses rank ", e.lost_rank, " of generation ",
                  e.generation);
  }
  std::string operator()(const state::MemberReady& e) { return StrCat("ready ", Key(e.task)); }
  std::string operator()(const state::SweepStopped& e) { return StrCat("stop sweep ", e.sweep); }
  std::string operator()(const state::TrialSuggested& e) {
    return StrCat("suggest trial ", e.index, " of ", e.sweep, ": ",
                  e.over.empty() ? e.params_json : e.over);
  }
  std::string operator()(const state::TrialReported& e) {
    return StrCat("report of trial ", e.index, " of ", e.sweep,
                  e.has_metric ? "" : ", without a value");
  }
  std::string operator()(const state::NodesProbed& e) {
    std::string words = "probes";
    for (const auto& told : e.nodes) {
      for (const auto& result : told.results) {
        StrAppend(&words, "; ", told.node, " to ", result.to, " port ", result.port, ": ",
                  result.error.empty() ? "reached" : result.error);
      }
    }
    return words;
  }
  std::string operator()(const state::NodeCached& e) {
    return StrCat("cached on ", e.node, ": ", absl::StrJoin(e.cached, " "));
  }
};

struct EffectWords {
  std::string operator()(const state::SendWanted& e) {
    std::string words = StrCat("wanted on ", e.node, ":");
    if (e.tasks.empty()) StrAppend(&words, " nothing");
    for (const auto& task : e.tasks) {
      StrAppend(&words, " ", state::Name(task.goal), " ", Key(task.task));
    }
    return words;
  }
  std::string operator()(const state::AckCheckpoint& e) {
    return StrCat("ack checkpoint ", e.name, e.committed ? ": committed" : ": " + e.refusal);
  }
  std::string operator()(const state::AckReport& e) {
    return StrCat("ack ", Key(e.task), " ", state::Name(e.stage));
  }
  std::string operator()(const state::SuggestTrial& e) {
    return StrCat("ask for trial ", e.index, " of ", e.sweep);
  }
  std::string operator()(const state::ReadTrial& e) {
    return StrCat("read trial ", e.index, " of ", e.sweep);
  }
  std::string operator()(const state::ProbeNodes& e) {
    std::string words = StrCat("probe from ", e.node, ":");
    for (const auto& target : e.targets) StrAppend(&words, " ", target.node);
    return words;
  }
};

}  // namespace

std::string Words(const state::Event& event) { return std::visit(EventWords(), event); }

std::string Words(const state::Effect& effect) { return std::visit(EffectWords(), effect); }

std::string Words(const std::vector<state::Note>& notes) {
  std::string words;
  for (const state::Note& note : notes) {
    StrAppend(&words, "    ", note.job, " ", note.code, ": ", note.text, "\n");
  }
  return words;
}

}  // namespace baton::sim
