// Where the ranks of a gang meet: the relay behind BATON_RENDEZVOUS (common/contract.h). Values are
// soft: kept in memory only, and sent again by each worker after a reconnect. The core alone makes
// generations: what a request says of another than the core's is stale, or refused. No threads, no
// clock; answers are values, told by the caller.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/state/event.h"

namespace baton::edge {

// What the core has said of a gang when it sent its newest wanted set.
struct Standing {
  uint64_t generation = 0;
  int32_t world_size = 0;  // of that generation
  bool operator==(const Standing&) const = default;
};

class Rendezvous {
 public:
  enum class Op { kSet, kWait, kLost, kDone, kReady };
  struct Request {
    state::NodeId node;  // whence it comes, whither the answer goes
    state::TaskKey task;
    uint64_t id = 0;
    Op op = Op::kSet;
    uint64_t generation = 0;
    std::string key;
    std::string value;
    int32_t lost_rank = 0;
    Standing standing;  // by the newest word of the core to that node
  };
  struct Answer {
    state::NodeId node;
    state::TaskKey task;
    uint64_t id = 0;
    std::string value;
    uint64_t stale_generation = 0;  // not 0: a newer attempt or generation exists
    bool lost = false;
    int32_t lost_rank = 0;
    std::string error;
  };
  struct Limits {
    size_t key_bytes_max = 256;
    size_t value_bytes_max = 64 << 10;
    size_t keys_per_gang_max = 65'536;
    size_t waits_per_gang_max = 65'536;
    size_t bytes_max = 256u << 20;  // of all values
  };
  explicit Rendezvous(const Limits& limits) : limits_(limits) {}

  struct Handled {
    std::vector<Answer> answers;  // to this request and to those that it releases
    // A loss or a readiness that this task has not told before on its node's connection: something
    // for the core.
    bool is_news = false;
  };
  Handled Handle(const Request& request);

  // The attempt with this token lives, in this generation, and these of its ranks there are gone:
  // waits of older ones are stale, waits of this one hear of the loss.
  std::vector<Answer> Update(const state::JobId& job, state::Token token, uint64_t generation,
                             const std::vector<int32_t>& lost_ranks);

  // The job has no live attempt: its keys go, its waits hear that they are stale.
  std::vector<Answer> Forget(const state::JobId& job);

  // A connection is gone: nobody is left to answer. The worker asks again, and what its tasks tell
  // again is news: who knows whether the core has heard it.
  void DropWaits(const state::NodeId& node);

  bool Knows(const state::JobId& job) const { return gangs_.count(job) > 0; }

 private:
  struct OpenWait {
    state::NodeId node;
    state::TaskKey task;
    uint64_t id = 0;
  };
  struct Gang {
    state::Token token = 0;
    uint64_t generation = 0;
    std::map<std::string, std::string> values;
    std::multimap<std::string, OpenWait> waits;  // by key
    std::set<int32_t> lost;
    std::set<int32_t> aware;  // tasks that know of all that are lost
    std::map<std::pair<int32_t, int32_t>, state::NodeId> told_losses;  // by task and lost rank
    std::map<int32_t, state::NodeId> told_ready;                       // by task
  };
  // What can't be meant, in words; empty: nothing.
  std::string Fault(const Request& request) const;
  static Answer AnswerTo(const Request& request);
  void Renew(Gang& gang, state::Token token, uint64_t generation, std::vector<Answer>& answers);
  void TellLoss(Gang& gang, int32_t rank, std::vector<Answer>& answers);
  void Wait(Gang& gang, const Request& request, std::vector<Answer>& answers);
  Answer Set(Gang& gang, const Request& request, std::vector<Answer>& released);
  // Its value goes, and the task's waits for it, unanswered.
  void ForgetKey(Gang& gang, const Request& request);
  void DropValues(Gang& gang);

  const Limits limits_;
  std::map<state::JobId, Gang> gangs_;
  size_t bytes_ = 0;
};

}  // namespace baton::edge
