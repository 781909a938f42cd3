// What clients ask for and the core's state has no order for: newest first, newest of a name,
// newest of a submitter, counts. Derived from the state, fed with the jobs that each event changed.
// Belongs to the thread that applies events. Holds pointers into State::jobs, whose nodes stay
// where they are; one that the core takes out is to be removed here while it still exists.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/state.h"

namespace baton::edge {

class JobIndex {
 public:
  // `state` outlives the index.
  explicit JobIndex(const state::State& state);

  void Update(const std::vector<state::JobId>& changed);

  // It is in State::jobs no more and still at the address that it had there.
  void Remove(const state::Job& job);

  // "latest" (of `asker`: owner and folder), an id, a name (its newest job), or an id's unique
  // prefix. NotFound; InvalidArgument for an ambiguous prefix, with the candidates.
  absl::StatusOr<const state::Job*> Find(absl::string_view what,
                                         const state::Submitter& asker) const;

  // A page of jobs, newest first, that come after `token` (empty: from the newest). `next` is
  // empty when there are no more. InvalidArgument: not a token.
  struct Page {
    std::vector<const state::Job*> jobs;
    std::string next;
  };
  absl::StatusOr<Page> List(absl::string_view token, int page_size) const;

  int64_t jobs() const { return static_cast<int64_t>(by_age_.size()); }
  int64_t queued() const { return queued_; }
  // Jobs with an attempt that lives, by id.
  const std::set<state::JobId>& live() const { return live_; }

 private:
  struct Entry {
    const state::Job* job = nullptr;
    bool queued = false;
  };
  static bool Older(const Entry& a, const Entry& b);
  void Add(const state::Job& job);
  const state::Job* Newest(const std::function<bool(const state::Job&)>& which) const;
  void Refresh(Entry& entry);

  const state::State& state_;
  std::vector<Entry> by_age_;  // oldest first: by submit time, then id
  absl::flat_hash_map<uint64_t, const state::Job*> by_name_;  // hash of the name: newest job
  std::map<std::pair<std::string, std::string>, const state::Job*> latest_;  // by owner, folder
  std::set<state::JobId> live_;
  int64_t queued_ = 0;
};

}  // namespace baton::edge
