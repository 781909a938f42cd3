// The queued jobs that could start now, in classes that no decision tells apart: a pass looks at
// the heads of classes only, whatever the number of jobs. An index over the state.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/policy/fleet.h"
#include "scheduler/policy/queue_order.h"
#include "scheduler/state/job.h"
#include "scheduler/state/state.h"

namespace baton::core {

// Jobs that ask for the same; the oldest first.
struct JobClass {
  std::string key;
  std::shared_ptr<const state::JobSpec> spec;
  std::string device_kind;                        // of jobs that have begun, if they are native
  std::map<uint64_t, const state::Job*> waiting;  // by Job::order
  // Its head could not be placed, and no node that could take one of its ranks has gained room
  // since. Skips work only: placing it again would fail again.
  bool blocked = false;
  // The newest pass (Machine::Pass) that left it to the promises of earlier jobs, or found no nodes
  // for it that reach each other; 0: none.
  uint64_t passed_over = 0;

  const state::Job* Head() const { return waiting.empty() ? nullptr : waiting.begin()->second; }
};

class Queue {
 public:
  // A job that is to be considered by the next pass. It must outlive its place here.
  void Add(const state::Job* job);
  // No-op for a job that is not in.
  void Remove(const state::Job* job);
  bool Contains(const state::Job* job) const;
  size_t size() const { return size_; }

  // What the project has running, in thousandths of a core (policy::DominantDemand).
  void AddRunning(const std::string& project, int64_t demand);
  int64_t Running(const std::string& project) const;

  // Room has grown on the node: classes that it can take a rank of are no longer blocked.
  void Unblock(const policy::NodeRoom& room);
  // A class with a head. A walk that has passed it stays valid.
  void Block(JobClass* job_class);

  bool AnyRunnable() const { return runnable_ > 0; }

  // Walks class heads in queue order. Valid until a job is added or removed or a class unblocked.
  class Walk {
   public:
    enum class Over : uint8_t { kRunnable, kAll };
    Walk(const Queue& queue, const state::Counters& counters, int64_t now_ms, Over over);
    // Null at the end.
    JobClass* Next();
    // Of the class that Next returned.
    const policy::QueueRank& rank() const { return rank_; }
    // Whether Next has one whose place is before `rank`.
    bool HasBefore(const policy::QueueRank& rank) const;

   private:
    using Heads = std::set<std::pair<uint64_t, JobClass*>>;
    struct Cursor {
      policy::QueueRank rank;
      Heads::const_iterator at;
      Heads::const_iterator end;
    };
    static bool Later(const Cursor& a, const Cursor& b) { return policy::Before(b.rank, a.rank); }

    std::vector<Cursor> cursors_;  // a heap, the earliest first; none is at its end
    policy::QueueRank rank_;
  };

 private:
  // Classes of one priority and project: equal but for age.
  struct Group {
    std::set<std::pair<uint64_t, JobClass*>> runnable;  // by order of the head, which is unique
    std::set<std::pair<uint64_t, JobClass*>> all;
  };
  using GroupKey = std::pair<int32_t, std::string>;

  Group& GroupOf(const JobClass& job_class);
  void Unlist(JobClass& job_class);
  void List(JobClass& job_class);

  std::map<std::string, JobClass> classes_;
  std::map<GroupKey, Group> groups_;
  std::map<std::string, int64_t> running_;
  size_t size_ = 0;
  size_t runnable_ = 0;
};

}  // namespace baton::core
