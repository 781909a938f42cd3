#include "tests/scheduler/core/copy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace baton::core {

state::State CopyOf(const state::State& from) {
  state::State to;
  to.config = from.config;
  to.counters = from.counters;
  to.nodes = from.nodes;
  to.deleted = from.deleted;
  to.sweeps = from.sweeps;
  to.reach = from.reach;
  for (const auto& [id, job] : from.jobs) {
    state::Job& copy = to.jobs[id];
    copy.id = job.id;
    copy.name = job.name;
    copy.spec = job.spec;
    copy.submitter = job.submitter;
    copy.request_digest = job.request_digest;
    copy.order = job.order;
    copy.submit_ms = job.submit_ms;
    copy.end_ms = job.end_ms;
    copy.state_since_ms = job.state_since_ms;
    copy.state = job.state;
    copy.intent = job.intent;
    copy.hold = job.hold;
    copy.retries_left = job.retries_left;
    copy.reason = job.reason;
    if (job.history != nullptr) copy.history = std::make_unique<state::JobHistory>(*job.history);
  }
  return to;
}

namespace {

void Append(const state::TaskKey& key, std::string* text) {
  absl::StrAppend(text, key.job, "/", key.attempt, "/", key.rank, "/", key.token, " ");
}

void Append(const state::WantedTask& task, std::string* text) {
  Append(task.task, text);
  absl::StrAppend(text, static_cast<int>(task.goal), " ", task.world_size, " ", task.local_rank,
                  " ", task.local_world_size, " ", task.node_rank, " ", task.nodes, " ");
  absl::StrAppend(text, absl::StrJoin(task.gpus, "+"), " ", task.generation, " ", task.resume_name,
                  " ", task.resume_step, " ", task.resume_digest, " ");
  absl::StrAppend(text, task.stop_deadline_ms, " ", task.stop_reason, " ", task.stop_for_good, " ",
                  task.alternative, " ");
  for (const state::Peer& peer : task.peers) {
    absl::StrAppend(text, peer.rank, " ", peer.task, " ", peer.node, " ", peer.address, " ",
                    peer.port, " ");
  }
}

void Append(const state::Effect& effect, std::string* text) {
  if (const auto* wanted = std::get_if<state::SendWanted>(&effect)) {
    absl::StrAppend(text, "wanted ", wanted->node, " ", wanted->incarnation, " ");
    for (const state::WantedTask& task : wanted->tasks) Append(task, text);
  } else if (const auto* checkpoint = std::get_if<state::AckCheckpoint>(&effect)) {
    absl::StrAppend(text, "checkpoint ", checkpoint->node, " ", checkpoint->name, " ",
                    checkpoint->committed, " ", checkpoint->refusal, " ");
    Append(checkpoint->task, text);
  } else if (const auto* report = std::get_if<state::AckReport>(&effect)) {
    absl::StrAppend(text, "report ", report->node, " ", static_cast<int>(report->stage), " ");
    Append(report->task, text);
  } else if (const auto* suggest = std::get_if<state::SuggestTrial>(&effect)) {
    absl::StrAppend(text, "suggest ", suggest->sweep, " ", suggest->index);
  } else if (const auto* read = std::get_if<state::ReadTrial>(&effect)) {
    absl::StrAppend(text, "read ", read->sweep, " ", read->index, " ", read->job);
  } else if (const auto* probe = std::get_if<state::ProbeNodes>(&effect)) {
    absl::StrAppend(text, "probe ", probe->node, " ", probe->incarnation);
    for (const auto& [node, address, port] : probe->targets) {
      absl::StrAppend(text, " ", node, " ", address, ":", port);
    }
  }
  *text += "\n";
}

}  // namespace

std::string TextOf(const state::Outputs& outputs) {
  std::string text = absl::StrCat(outputs.reply.ToString(), "\n");
  for (const state::Effect& effect : outputs.effects) Append(effect, &text);
  for (const state::Note& note : outputs.notes) {
    absl::StrAppend(&text, note.job, " ", note.at_ms, " ", note.attempt, " ", note.code, ": ",
                    note.text, "\n");
  }
  absl::StrAppend(&text, absl::StrJoin(outputs.job_ids, " "), "\n",
                  absl::StrJoin(outputs.dirty_jobs, " "), "\n", outputs.deleted_jobs.size(),
                  absl::StrJoin(outputs.forgotten, " "), "\n",
                  absl::StrJoin(outputs.dirty_nodes, " "), "\n", outputs.counters_dirty, "\n",
                  outputs.reach_changed, "\n", absl::StrJoin(outputs.dirty_sweeps, " "));
  for (const auto& [sweep, index] : outputs.dirty_trials) {
    absl::StrAppend(&text, " ", sweep, "/", index);
  }
  return text;
}

}  // namespace baton::core
