// A driver over a store in memory, with a clock and a disk that the test holds in its hands.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "scheduler/edge/driver.h"
#include "scheduler/store/memory_store.h"
#include "scheduler/store/recover.h"

namespace baton::edge {

class ManualClock : public Clock {
 public:
  int64_t UnixMillis() const override { return 1'700'000'000'000 + now_ms_; }
  int64_t MonotonicMillis() const override { return now_ms_; }
  void Advance(int64_t ms) { now_ms_ += ms; }

 private:
  std::atomic<int64_t> now_ms_{1'000};
};

// A store whose commits wait while the test holds the disk.
class HeldStore : public store::Store {
 public:
  explicit HeldStore(store::MemoryStore& under) : under_(under) {}

  absl::Status Commit(uint64_t term, const std::vector<store::Batch>& batches) override {
    std::unique_lock<std::mutex> lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    sizes_.push_back(batches.size());
    return under_.Commit(term, batches);
  }
  absl::StatusOr<uint64_t> TakeTerm() override { return under_.TakeTerm(); }
  absl::StatusOr<std::string> Get(store::Table table, absl::string_view key) const override {
    return under_.Get(table, key);
  }
  absl::Status Scan(store::Table table, absl::string_view prefix,
                    const Visitor& visit) const override {
    return under_.Scan(table, prefix, visit);
  }
  std::unique_ptr<store::Reader> OpenView() const override { return under_.OpenView(); }
  absl::StatusOr<double> FreeFraction() const override { return under_.FreeFraction(); }

  void Hold() {
    std::lock_guard<std::mutex> lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    std::lock_guard<std::mutex> lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Returns once so many commits have begun.
  void AwaitCommits(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this, count] { return arrived_ >= count; });
  }
  std::vector<size_t> sizes() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return sizes_;
  }
  int arrived() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return arrived_;
  }

 private:
  store::MemoryStore& under_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int arrived_ = 0;
  std::vector<size_t> sizes_;  // batches of each commit
};

class QuietEdge : public Edge {
 public:
  Release OnApplied(const Seen&) override { return nullptr; }
  std::vector<state::Event> OnTick(int64_t, bool gap) override {
    ++ticks;
    if (gap) ++gaps;
    return {};
  }
  std::atomic<int> ticks{0};
  std::atomic<int> gaps{0};
};

// A latch that a test waits on.
class Flag {
 public:
  void Set() {
    std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool is_set() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return set_;
  }
  void Await() const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool set_ = false;
};

inline state::JobsSubmitted Submission(const std::string& request_id, int jobs = 1,
                                       const std::string& name = "job") {
  state::JobsSubmitted event;
  event.request_id = request_id;
  event.request_digest = 7;
  event.submitter = std::make_shared<const state::Submitter>(
      state::Submitter{.owner = "ada", .folder = "host:/home/ada"});
  auto spec = std::make_shared<state::JobSpec>();
  spec->queue_anyway = true;
  spec->wire = "spec";
  for (int i = 0; i < jobs; ++i) {
    event.jobs.push_back(
        {.id = JobId(request_id, static_cast<uint32_t>(i)), .name = name, .spec = spec});
  }
  return event;
}

// One life of a scheduler's driver over `memory`.
class DriverFixture {
 public:
  explicit DriverFixture(store::MemoryStore& memory, Driver::Options options = {})
      : held(memory), edge(own_edge_), options_(options) {
    Open();
  }
  DriverFixture(store::MemoryStore& memory, Edge& other_edge, Driver::Options options = {})
      : held(memory), edge(other_edge), options_(options) {
    Open();
  }
  ~DriverFixture() {
    held.LetGo();
    driver->Shutdown();
  }

  QuietEdge& quiet() { return own_edge_; }

  HeldStore held;
  ManualClock clock;
  Edge& edge;
  std::unique_ptr<store::Recovered> recovered;
  std::unique_ptr<store::Committer> committer;
  std::unique_ptr<core::Core> core;
  std::unique_ptr<Driver> driver;
  std::mutex mutex;
  std::vector<absl::Status> failures;  // guarded by mutex
  Flag failed;

 private:
  void Open() {
    const uint64_t term = held.TakeTerm().value();
    if (!store::PrepareSchema(held, term).ok()) std::abort();
    recovered = std::make_unique<store::Recovered>(store::Recover(held, state::Config{}).value());
    committer = std::make_unique<store::Committer>(
        store::Committer::Open(held, recovered->shared, {.core_version = "test"}).value());
    core = std::make_unique<core::Core>(std::move(recovered->state));
    driver = std::make_unique<Driver>(Driver::Parts{.store = held,
                                                    .committer = *committer,
                                                    .shared = recovered->shared,
                                                    .core = *core,
                                                    .edge = edge,
                                                    .clock = clock,
                                                    .term = term},
                                      options_, [this](const absl::Status& status) {
                                        {
                                          std::lock_guard<std::mutex> lock(mutex);
                                          failures.push_back(status);
                                        }
                                        failed.Set();
                                      });
  }

  QuietEdge own_edge_;
  const Driver::Options options_;
};

}  // namespace baton::edge
