// What is free on each node, in the order in which placement prefers nodes. An index over
// state::Node records: kept up to date by the core, rebuilt from the state after a restart.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"
#include "scheduler/state/reach.h"

namespace baton::policy {

// One node and what of it is not taken.
struct NodeRoom {
  const state::Node* node = nullptr;
  bool takes_work = false;  // and its worker has been heard of since the scheduler's start
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  std::vector<int32_t> gpus;     // indices that are free, rising
  std::vector<uint64_t> listed;  // of its cached data, what Fleet::Holding finds it by
  int32_t slot = -1;             // in state::Reach; -1: it takes no part there
  // Of the job that the node is promised to (state::Node); null: none.
  std::shared_ptr<const state::JobSpec> promised_spec;
};

// How many ranks fit, what is asked for by one rank being `need`: into what is free now, or into
// the whole empty node. At most `limit`.
int32_t RanksThatFit(const NodeRoom& room, const state::Resources& need, int32_t limit);
int32_t RanksThatFitEmpty(const state::NodeOffer& offer, const state::Resources& need,
                          int32_t limit);

// The indices, lowest first, that `ranks` ranks get; the room must hold them.
std::vector<int32_t> PickGpus(const NodeRoom& room, const state::Resources& need, int32_t ranks);

// Where ranks of other nodes are to find its own, and probes the node; empty: it has told none.
std::string DataAddress(const state::NodeOffer& offer);

// Whether ranks on other machines could reach ranks of the node at all: that address is not
// loopback. Whether they do is shown by probes (state::Reach).
bool IsReachable(const state::NodeOffer& offer);

// Cheaper first, then by id.
struct Preference {
  bool operator()(const NodeRoom* a, const NodeRoom* b) const;
};

class Fleet {
 public:
  // Nodes that take work and have a core left.
  using Open = std::set<const NodeRoom*, Preference>;

  // The node must outlive its place here and may not change but between Remove and Add.
  void Add(const state::Node* node);
  void Remove(const state::NodeId& node);

  // Room taken by, or given back by, one task; `gpus` are its indices.
  void Take(const state::NodeId& node, const state::Resources& need,
            const std::vector<int32_t>& gpus);
  void Give(const state::NodeId& node, const state::Resources& need,
            const std::vector<int32_t>& gpus);

  // Who reaches whom; it must outlive this. Without it no node reaches another machine's.
  void SetReach(const state::Reach* reach);
  const state::Reach* reach() const { return reach_; }

  // The scheduler's term: nodes that have not said hello in it get no work yet.
  void SetTerm(uint64_t term);
  uint64_t term() const { return term_; }

  // To be called after TakesWork(), the last hello, the place in `reach`, what is cached or the
  // promise of the node changed. Null: no promise.
  void Refresh(const state::NodeId& node);
  void SetPromise(const state::NodeId& node, std::shared_ptr<const state::JobSpec> spec);

  // How often anything of it has changed.
  uint64_t changes() const { return changes_; }

  const NodeRoom* Find(const state::NodeId& node) const;
  const Open& open() const { return open_; }
  // Those of them that hold this data; null: none does.
  const Open* Holding(uint64_t data) const;
  const std::map<state::NodeId, NodeRoom>& rooms() const { return rooms_; }
  // Machines with a node that only its own machine can reach: its ranks meet by loopback.
  bool HasLoopbackOnly(const std::string& host_id) const;

 private:
  void Place(NodeRoom& room);
  void List(NodeRoom& room, const std::vector<uint64_t>& data);

  uint64_t changes_ = 0;
  uint64_t term_ = 0;
  const state::Reach* reach_ = nullptr;
  std::map<state::NodeId, NodeRoom> rooms_;
  Open open_;
  std::map<uint64_t, Open> holding_;          // open nodes by what they have cached
  std::map<std::string, int> loopback_only_;  // by host id: nodes
};

}  // namespace baton::policy
