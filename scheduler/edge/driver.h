// Production's driver of the core. One thread owns the core and applies events in the order of
// their arrival; nothing that an event or a read has seen leaves before it is stored
// (commit_thread.h). Reads are served from the same thread's state, so that whoever asks sees all
// that was answered before, and leave with the commit of the last event that they have seen.
//
// After a failed commit the core stops and `on_failure` ends the process: a restart recovers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/mailbox.h"
#include "scheduler/core/step.h"
#include "scheduler/edge/commit_thread.h"
#include "scheduler/edge/job_index.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/shared_values.h"
#include "scheduler/store/store.h"

namespace baton::edge {

// What a view sees, on the core's thread; nothing of it may be kept.
struct Seen {
  const core::Core& core;
  const JobIndex& index;
  const state::Outputs* outputs = nullptr;  // of the view's event; null for a read
  int64_t now_ms = 0;
};

// Runs on the core's thread, short and without blocking; what it returns runs after the commit, on
// the releasing thread, and may be empty.
using Release = CommitThread::Release;
using View = std::function<Release(const Seen& seen)>;

// Whoever carries effects out and watches the time of others.
class Edge {
 public:
  virtual ~Edge() = default;
  // Core's thread, after each event. What it returns runs after the commit, before the answer.
  virtual Release OnApplied(const Seen& seen) = 0;
  // Core's thread, about every Options::tick_ms by the monotonic clock. `gap`: the loop did not run
  // for half a lease. Returns events to apply now.
  virtual std::vector<state::Event> OnTick(int64_t monotonic_ms, bool gap) = 0;
};

class Driver {
 public:
  enum class Source { kClient, kWorker };

  struct Options {
    size_t mailbox_max = 16'384;
    size_t client_requests_max = 8'192;  // of these; the rest is kept for workers
    int64_t tick_ms = 50;
    int64_t lease_ms = 10'000;
    CommitThread::Options commit = {};
  };

  // All outlive the driver. `committer` and `shared` belong to its thread from Start on.
  struct Parts {
    store::Store& store;
    store::Committer& committer;
    store::SharedValues& shared;
    core::Core& core;
    Edge& edge;
    const Clock& clock;
    uint64_t term = 0;
  };
  Driver(const Parts& parts, const Options& options,
         std::function<void(const absl::Status&)> on_failure);
  ~Driver();

  // Applies SchedulerStarted first, then what is posted (also before this call).
  void Start();

  // ResourceExhausted when too much is waiting, Unavailable when the scheduler is ending; `view`
  // is then dropped unseen.
  absl::Status Post(Source source, state::Event event, View view);
  absl::Status Read(Source source, View view);

  // Applies, commits and releases what was posted, then ends the threads. Idempotent.
  void Shutdown();

 private:
  struct Request {
    bool from_client = false;
    std::unique_ptr<state::Event> event;  // null: a read
    View view;
  };

  absl::Status Enqueue(Request request);
  void Loop();
  int64_t WaitMs() const;
  void Tick();
  void Serve(Request request);
  void Apply(state::Event event, const View& view);
  void InternShared(state::Event& event);
  void Fail(const absl::Status& status);

  const Parts parts_;
  const Options options_;
  const std::function<void(const absl::Status&)> on_failure_;
  JobIndex index_;
  Mailbox<Request> mailbox_;
  std::atomic<size_t> client_requests_{0};
  std::atomic<bool> failed_{false};
  int64_t last_loop_ms_ = 0;  // monotonic
  int64_t last_tick_ms_ = 0;  // monotonic
  std::unique_ptr<CommitThread> commits_;
  std::thread thread_;
};

}  // namespace baton::edge
