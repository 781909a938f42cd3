#include "scheduler/edge/data_use.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "common/status.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/state/job.h"

namespace baton::edge {
namespace {

constexpr int kJobsPerRead = 5'000;
constexpr std::chrono::seconds kReadWait{60};

struct Slice {
  std::vector<std::pair<state::JobId, std::shared_ptr<const state::JobSpec>>> jobs;
  state::JobId last;  // empty: there are no more
};

Slice TakeSlice(const state::State& state, const state::JobId& after) {
  Slice slice;
  // Trials that are still to come will use it, too.
  for (const auto& [id, sweep] : state.sweeps) {
    if (after.empty() && !state::IsEnded(sweep.state)) slice.jobs.emplace_back(id, sweep.spec);
  }
  int looked_at = 0;
  for (auto it = state.jobs.upper_bound(after); it != state.jobs.end(); ++it) {
    if (++looked_at > kJobsPerRead) break;
    slice.last = it->first;
    if (!state::IsEnded(it->second.state)) slice.jobs.emplace_back(it->first, it->second.spec);
  }
  return slice;
}

absl::StatusOr<Slice> ReadSlice(Driver& driver, const state::JobId& after) {
  auto promise = std::make_shared<std::promise<Slice>>();
  std::future<Slice> future = promise->get_future();
  BATON_RETURN_IF_ERROR(
      driver.Read(Driver::Source::kClient, [promise, after](const Seen& seen) -> Release {
        auto slice = std::make_shared<Slice>(TakeSlice(seen.core.state(), after));
        return [promise, slice] { promise->set_value(std::move(*slice)); };
      }));
  if (future.wait_for(kReadWait) != std::future_status::ready) {
    return absl::DeadlineExceededError("the scheduler does not answer");
  }
  return future.get();
}

}  // namespace

absl::StatusOr<DataUsers> UsersOfData(Driver& driver) {
  DataUsers users;
  std::map<std::shared_ptr<const state::JobSpec>, std::vector<std::string>> digests;
  state::JobId after;
  while (true) {
    BATON_ASSIGN_OR_RETURN(const Slice slice, ReadSlice(driver, after));
    for (const auto& [job, spec] : slice.jobs) {
      const auto [known, is_new] = digests.try_emplace(spec);
      if (is_new) {
        BATON_ASSIGN_OR_RETURN(const v1::JobSpec wire, SpecToWire(*spec, ""));
        for (const v1::DataSet& data : wire.data()) {
          if (!data.digest().empty()) known->second.push_back(data.digest());
        }
      }
      for (const std::string& digest : known->second) users[digest].push_back(job);
    }
    if (slice.last.empty()) return users;
    after = slice.last;
  }
}

}  // namespace baton::edge
