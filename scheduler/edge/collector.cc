#include "scheduler/edge/collector.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/edge/from_wire.h"

namespace baton::edge {
namespace {

constexpr int kJobsPerRead = 5'000;
constexpr std::chrono::seconds kReadWait{60};

struct Slice {
  std::vector<std::shared_ptr<const state::JobSpec>> specs;
  std::vector<std::string> manifests;
  state::JobId last;  // empty: there are no more
};

Slice TakeSlice(const state::State& state, const state::JobId& after) {
  Slice slice;
  int jobs = 0;
  for (auto it = state.jobs.upper_bound(after); it != state.jobs.end(); ++it) {
    if (++jobs > kJobsPerRead) break;
    const state::Job& job = it->second;
    slice.last = job.id;
    if (slice.specs.empty() || slice.specs.back() != job.spec) slice.specs.push_back(job.spec);
    if (job.history == nullptr) continue;
    if (!job.history->output_digest.empty()) {
      slice.manifests.push_back(job.history->output_digest);
    }
    for (const state::Checkpoint& checkpoint : job.history->checkpoints) {
      slice.manifests.push_back(checkpoint.manifest_digest);
    }
    for (const state::Attempt& attempt : job.history->attempts) {
      if (attempt.end_ms == 0 && !attempt.resume_digest.empty()) {
        slice.manifests.push_back(attempt.resume_digest);
      }
    }
  }
  return slice;
}

// What trials that are still to come will name.
void TakeSweeps(const state::State& state, Slice* slice) {
  for (const auto& [id, sweep] : state.sweeps) {
    if (!state::IsEnded(sweep.state)) slice->specs.push_back(sweep.spec);
  }
}

absl::StatusOr<Slice> ReadSlice(Driver& driver, const state::JobId& after) {
  auto promise = std::make_shared<std::promise<Slice>>();
  std::future<Slice> future = promise->get_future();
  BATON_RETURN_IF_ERROR(
      driver.Read(Driver::Source::kClient, [promise, after](const Seen& seen) -> Release {
        auto slice = std::make_shared<Slice>(TakeSlice(seen.core.state(), after));
        if (after.empty()) TakeSweeps(seen.core.state(), slice.get());
        return [promise, slice] { promise->set_value(std::move(*slice)); };
      }));
  if (future.wait_for(kReadWait) != std::future_status::ready) {
    return absl::DeadlineExceededError("the scheduler does not answer");
  }
  return future.get();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LiveManifests(Driver& driver) {
  std::set<std::string> live;
  std::set<std::shared_ptr<const state::JobSpec>> specs;
  state::JobId after;
  while (true) {
    BATON_ASSIGN_OR_RETURN(Slice slice, ReadSlice(driver, after));
    live.insert(slice.manifests.begin(), slice.manifests.end());
    specs.insert(slice.specs.begin(), slice.specs.end());
    if (slice.last.empty()) break;
    after = slice.last;
  }
  for (const auto& spec : specs) {
    BATON_ASSIGN_OR_RETURN(const v1::JobSpec wire, SpecToWire(*spec, ""));
    if (!wire.package_digest().empty()) live.insert(wire.package_digest());
    if (!wire.data_digest().empty()) live.insert(wire.data_digest());
    for (const v1::DataSet& data : wire.data()) {
      if (!data.digest().empty()) live.insert(data.digest());
    }
  }
  return std::vector<std::string>(live.begin(), live.end());
}

Collector::Collector(Driver& driver, artifact::LocalDir& store, Others others,
                     const Options& options)
    : driver_(driver),
      store_(store),
      others_(std::move(others)),
      options_(options),
      thread_([this] { Loop(); }) {}

Collector::~Collector() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Collector::Loop() {
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (changed_.wait_for(lock, std::chrono::milliseconds(options_.interval_ms),
                            [this] { return closed_; })) {
        return;
      }
    }
    CollectOnce();
  }
}

void Collector::CollectOnce() {
  auto manifests = LiveManifests(driver_);
  if (!manifests.ok()) {
    LogWarning(
        absl::StrCat("no collection of artifacts this time: ", manifests.status().message()));
    return;
  }
  for (std::string& manifest : others_.manifests()) manifests->push_back(std::move(manifest));
  const auto collected = store_.Collect(
      {.manifests = *std::move(manifests), .chunks = others_.pinned_chunks()}, options_.age_ms_min);
  if (!collected.ok()) {
    LogWarning(absl::StrCat("artifacts were not collected: ", collected.status().message()));
  } else if (collected->chunks > 0) {
    LogInfo(absl::StrCat("collected ", collected->chunks, " chunks, ", collected->bytes, " bytes"));
  }
}

}  // namespace baton::edge
