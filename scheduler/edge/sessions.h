// Which worker is connected, until when its lease runs, and the way of effects to it.
//
// Leases are kept here, by monotonic time of arrival, and renewed by any word of the worker without
// the commit thread; only "lost" goes to the core. A node is lost when
//  - its worker says goodbye,
//  - its stream is broken and no new one of the same incarnation has said hello within
//    `reconnect_grace_ms`: both a dead process and a broken line close the stream, so the grace
//    tells them apart; a worker dials again at once (50 ms), a dead one does not,
//  - nothing was heard for a whole lease (the host is gone or the line is silent).
// After a start of the scheduler the nodes of the store get a lease anew, without the grace: nobody
// knows yet who still lives. After a gap in the driver's loop all leases start anew. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/edge/outbox.h"
#include "scheduler/edge/progress.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/state.h"

namespace baton::edge {

class Sessions {
 public:
  struct Options {
    int64_t lease_ms = 10'000;
    int64_t reconnect_grace_ms = 300;
  };
  // `progress` outlives this.
  Sessions(const Options& options, const Progress& progress)
      : options_(options), progress_(progress) {}

  // Nodes that the store calls up: theirs is a lease from now on.
  void Recover(const state::State& state, int64_t monotonic_ms);

  // A worker has said hello: its lease is renewed and a broken stream of it forgiven. What is for
  // the node goes to `outbox`, which holds it back until Activate. A former session ends.
  void Hello(const state::NodeId& node, const std::string& incarnation,
             std::shared_ptr<Outbox> outbox, int64_t monotonic_ms, int64_t unix_ms);

  // The join is stored: welcome the worker and tell it what is wanted.
  void Activate(const state::NodeId& node, const std::shared_ptr<Outbox>& outbox,
                const v1::Welcome& welcome, std::vector<state::WantedTask> wanted);

  // Any word on the stream of `outbox`. False: the session is no longer the node's (its lease ran
  // out, or another one took its place), what it says is not to be used.
  [[nodiscard]] bool Heard(const state::NodeId& node, const Outbox& outbox, int64_t monotonic_ms,
                           int64_t unix_ms);

  // How much of its cards' memory is in use, by the cards' indices: the newest word replaces all
  // former ones and lasts as long as the node has a lease.
  using GpuMemory = std::map<int32_t, int64_t>;
  void SetGpuMemory(const state::NodeId& node, const Outbox& outbox, GpuMemory used_bytes);
  GpuMemory GpuMemoryOf(const state::NodeId& node) const;

  // While the scheduler itself does not read the stream, the lease stands still.
  void Pause(const state::NodeId& node, const Outbox& outbox, bool paused, int64_t monotonic_ms);

  // The stream has ended.
  void Broken(const state::NodeId& node, const Outbox& outbox, int64_t monotonic_ms);

  // Goodbye: the node leaves the table; the event that says so.
  state::NodeLost Leave(const state::NodeId& node, const Outbox& outbox, const std::string& cause);

  // The scheduler is ending: streams break, and no node is lost for that.
  void Freeze() { frozen_ = true; }

  // Nodes that are lost as of now; they leave the table and their sessions are ended.
  std::vector<state::Event> Tick(int64_t monotonic_ms, bool gap);

  // Effects whose events are stored, in order.
  void Deliver(std::vector<state::Effect> effects);

  // To the node's session, if there is one.
  void Send(const state::NodeId& node, v1::SchedulerMessage message);

  // Nodes that are connected or still have a lease.
  size_t size() const;

 private:
  struct Entry {
    std::string incarnation;
    std::shared_ptr<Outbox> outbox;  // null: not seen since the start
    bool paused = false;
    int64_t heard_ms = 0;  // monotonic
    int64_t heard_unix_ms = 0;
    int64_t broken_ms = -1;             // monotonic; -1: the stream stands, or was never there
    std::vector<state::TaskKey> tasks;  // of the newest wanted set
    GpuMemory gpu_memory;
  };
  Entry* Find(const state::NodeId& node, const Outbox& outbox);
  std::shared_ptr<Outbox> OutboxOf(const state::NodeId& node, const std::string* incarnation,
                                   const std::vector<state::WantedTask>* wanted);
  state::NodeLost Lost(const state::NodeId& node, const Entry& entry, std::string cause) const;

  const Options options_;
  const Progress& progress_;
  std::atomic<bool> frozen_{false};
  mutable std::mutex mutex_;
  std::map<state::NodeId, Entry> nodes_;  // guarded by mutex_
};

}  // namespace baton::edge
