#include "scheduler/edge/sessions.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "scheduler/edge/fleet_wire.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {
namespace {

std::vector<state::TaskKey> KeysOf(const std::vector<state::WantedTask>& wanted) {
  std::vector<state::TaskKey> keys;
  keys.reserve(wanted.size());
  for (const state::WantedTask& task : wanted) keys.push_back(task.task);
  return keys;
}

}  // namespace

void Sessions::Recover(const state::State& state, int64_t monotonic_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [id, node] : state.nodes) {
    if (!node.up) continue;
    Entry& entry = nodes_[id];
    entry.incarnation = node.offer.incarnation;
    entry.heard_ms = monotonic_ms;
    entry.heard_unix_ms = state.counters.now_ms;
  }
}

void Sessions::Hello(const state::NodeId& node, const std::string& incarnation,
                     std::shared_ptr<Outbox> outbox, int64_t monotonic_ms, int64_t unix_ms) {
  std::shared_ptr<Outbox> former;
  bool same_process = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Entry& entry = nodes_[node];
    former = std::move(entry.outbox);
    same_process = entry.incarnation == incarnation;
    if (!same_process) {
      entry.tasks.clear();
      entry.gpu_memory.clear();
    }
    entry.incarnation = incarnation;
    entry.outbox = std::move(outbox);
    entry.paused = false;
    entry.heard_ms = monotonic_ms;
    entry.heard_unix_ms = unix_ms;
    entry.broken_ms = -1;
  }
  if (former == nullptr) return;
  if (same_process) {
    former->Cut("the worker has connected anew");
  } else {
    former->Refuse("another worker has said hello with this node's id; run one per folder");
  }
}

void Sessions::Activate(const state::NodeId& node, const std::shared_ptr<Outbox>& outbox,
                        const v1::Welcome& welcome, std::vector<state::WantedTask> wanted) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Entry* entry = Find(node, *outbox);
    if (entry == nullptr) return;
    entry->tasks = KeysOf(wanted);
  }
  outbox->SetWanted(std::move(wanted));
  outbox->Welcome(welcome);
}

Sessions::Entry* Sessions::Find(const state::NodeId& node, const Outbox& outbox) {
  const auto it = nodes_.find(node);
  return it != nodes_.end() && it->second.outbox.get() == &outbox ? &it->second : nullptr;
}

bool Sessions::Heard(const state::NodeId& node, const Outbox& outbox, int64_t monotonic_ms,
                     int64_t unix_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = Find(node, outbox);
  if (entry == nullptr) return false;
  entry->heard_ms = monotonic_ms;
  entry->heard_unix_ms = unix_ms;
  return true;
}

void Sessions::SetGpuMemory(const state::NodeId& node, const Outbox& outbox, GpuMemory used_bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = Find(node, outbox);
  if (entry != nullptr) entry->gpu_memory = std::move(used_bytes);
}

Sessions::GpuMemory Sessions::GpuMemoryOf(const state::NodeId& node) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? GpuMemory() : it->second.gpu_memory;
}

void Sessions::Pause(const state::NodeId& node, const Outbox& outbox, bool paused,
                     int64_t monotonic_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = Find(node, outbox);
  if (entry == nullptr) return;
  entry->paused = paused;
  entry->heard_ms = monotonic_ms;
}

void Sessions::Broken(const state::NodeId& node, const Outbox& outbox, int64_t monotonic_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = Find(node, outbox);
  if (entry == nullptr) return;
  entry->broken_ms = monotonic_ms;
}

state::NodeLost Sessions::Lost(const state::NodeId& node, const Entry& entry,
                               std::string cause) const {
  return {.node = node,
          .incarnation = entry.incarnation,
          .cause = std::move(cause),
          .last_heard_ms = entry.heard_unix_ms,
          .tasks = progress_.Of(entry.tasks)};
}

state::NodeLost Sessions::Leave(const state::NodeId& node, const Outbox& outbox,
                                const std::string& cause) {
  std::lock_guard<std::mutex> lock(mutex_);
  const Entry* entry = Find(node, outbox);
  if (entry == nullptr) return {};
  state::NodeLost lost = Lost(node, *entry, cause);
  nodes_.erase(node);
  return lost;
}

std::vector<state::Event> Sessions::Tick(int64_t monotonic_ms, bool gap) {
  std::vector<state::Event> events;
  if (frozen_) return events;
  std::vector<std::shared_ptr<Outbox>> ended;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = nodes_.begin(); it != nodes_.end();) {
      Entry& entry = it->second;
      if (gap || entry.paused) entry.heard_ms = monotonic_ms;
      if (gap && entry.broken_ms >= 0) entry.broken_ms = monotonic_ms;
      std::string cause;
      if (entry.broken_ms >= 0 && monotonic_ms - entry.broken_ms >= options_.reconnect_grace_ms) {
        cause = "connection closed";
      } else if (monotonic_ms - entry.heard_ms >= options_.lease_ms) {
        cause = absl::StrCat("silent for ", (options_.lease_ms + 500) / 1000, " s");
      }
      if (cause.empty()) {
        ++it;
        continue;
      }
      events.push_back(Lost(it->first, entry, cause));
      if (entry.outbox != nullptr) ended.push_back(entry.outbox);
      it = nodes_.erase(it);
    }
  }
  for (const auto& outbox : ended) outbox->Cut("the node's lease has run out; say hello again");
  return events;
}

std::shared_ptr<Outbox> Sessions::OutboxOf(const state::NodeId& node,
                                           const std::string* incarnation,
                                           const std::vector<state::WantedTask>* wanted) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return nullptr;
  Entry& entry = it->second;
  if (incarnation != nullptr && entry.incarnation != *incarnation) return nullptr;
  if (wanted != nullptr) entry.tasks = KeysOf(*wanted);
  return entry.outbox;
}

void Sessions::Deliver(std::vector<state::Effect> effects) {
  for (state::Effect& effect : effects) {
    if (auto* wanted = std::get_if<state::SendWanted>(&effect)) {
      const auto outbox = OutboxOf(wanted->node, &wanted->incarnation, &wanted->tasks);
      if (outbox != nullptr) outbox->SetWanted(std::move(wanted->tasks));
    } else if (const auto* checkpoint = std::get_if<state::AckCheckpoint>(&effect)) {
      v1::SchedulerMessage message;
      v1::CheckpointAck* ack = message.mutable_checkpoint_ack();
      *ack->mutable_task() = ToWire(checkpoint->task);
      ack->set_name(checkpoint->name);
      ack->set_committed(checkpoint->committed);
      ack->set_refusal(checkpoint->refusal);
      Send(checkpoint->node, std::move(message));
    } else if (const auto* report = std::get_if<state::AckReport>(&effect)) {
      v1::SchedulerMessage message;
      v1::ReportAck* ack = message.mutable_report_ack();
      *ack->mutable_task() = ToWire(report->task);
      ack->set_stage(ToWire(report->stage));
      Send(report->node, std::move(message));
    } else if (const auto* probe = std::get_if<state::ProbeNodes>(&effect)) {
      const auto outbox = OutboxOf(probe->node, &probe->incarnation, nullptr);
      if (outbox != nullptr) outbox->Push(ProbesToWire(*probe));
    }
  }
}

void Sessions::Send(const state::NodeId& node, v1::SchedulerMessage message) {
  const auto outbox = OutboxOf(node, nullptr, nullptr);
  if (outbox != nullptr) outbox->Push(std::move(message));
}

size_t Sessions::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return nodes_.size();
}

}  // namespace baton::edge
