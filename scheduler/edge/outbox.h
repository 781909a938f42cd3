// What waits to be written to one worker's stream. Bounded: the newest wanted set replaces the
// former, acknowledgements of one log stream are merged, and a worker that does not read what it
// asked for is cut off (it comes back and both sides repeat what is open). Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "baton/v1/worker.pb.h"
#include "scheduler/edge/rendezvous.h"
#include "scheduler/state/effect.h"

namespace baton::edge {

class Outbox {
 public:
  struct Limits {
    size_t messages_max = 16'384;
    size_t bytes_max = 64u << 20;
  };
  // Adds to a task that has its spec what belongs beside it; short, and calls no outbox.
  using AddExtras = std::function<void(v1::WantedTask*)>;
  // `term` stands in each wanted set, numbered by `sequence`, which all sessions of the term share
  // and which outlives this. `ready` is called, without a lock, from any thread, when
  // there is something to take and nobody was told yet; then Take until it is empty.
  Outbox(uint64_t term, std::atomic<uint64_t>& sequence, const Limits& limits,
         std::function<void()> ready, AddExtras add_extras = nullptr)
      : term_(term),
        sequence_(sequence),
        limits_(limits),
        ready_(std::move(ready)),
        add_extras_(std::move(add_extras)) {}

  // The first message; nothing is taken before it.
  void Welcome(const v1::Welcome& welcome);
  void SetWanted(std::vector<state::WantedTask> tasks);
  void Push(v1::SchedulerMessage message);
  // All before `offset` is stored.
  void AckStream(const v1::TaskId& task, bool metrics, int64_t offset);
  // Last words, after which the worker ends for good: what else waits is dropped.
  void Refuse(const std::string& reason);
  // Ends the stream, and the worker is to connect again: what waits is dropped.
  void Cut(const std::string& reason);

  // The next message, or none; then `ready` is called again when there is one.
  std::optional<v1::SchedulerMessage> Take();
  // Set once nothing will come any more and all was taken: end the stream with it.
  std::optional<absl::Status> end() const;

  // Whether the newest wanted set names a task of this job and token.
  bool Wants(const state::JobId& job, state::Token token) const {
    return StandingOf(job, token).has_value();
  }
  // How its gang stands there; nullopt: it names none.
  std::optional<Standing> StandingOf(const state::JobId& job, state::Token token) const;

 private:
  using TaskId = std::tuple<state::JobId, state::Token, int32_t>;
  using StreamId = std::tuple<std::string, int32_t, int32_t, uint64_t, bool>;
  void Signal();
  void End(absl::Status end, std::optional<v1::SchedulerMessage> last_words);
  v1::SchedulerMessage MakeWanted();  // caller holds mutex_

  const uint64_t term_;
  std::atomic<uint64_t>& sequence_;
  const Limits limits_;
  const std::function<void()> ready_;
  const AddExtras add_extras_;
  mutable std::mutex mutex_;
  bool waiting_ = true;  // the reader is to be told; all below guarded by mutex_
  bool welcomed_ = false;
  std::optional<absl::Status> end_;
  std::deque<v1::SchedulerMessage> messages_;
  size_t bytes_ = 0;
  std::map<StreamId, int64_t> stream_acks_;
  bool wanted_changed_ = false;
  std::vector<state::WantedTask> wanted_;
  std::map<std::pair<state::JobId, state::Token>, Standing> standings_;
  std::set<TaskId> specs_sent_;
};

}  // namespace baton::edge
