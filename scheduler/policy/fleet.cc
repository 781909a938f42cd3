#include "scheduler/policy/fleet.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "common/check.h"

namespace baton::policy {
namespace {

bool GpuMatches(const state::Gpu& gpu, const state::Resources& need) {
  return (need.gpu_type.empty() || gpu.type == need.gpu_type) &&
         gpu.memory_bytes >= need.gpu_memory_bytes;
}

// How often `need` goes into `have`; nothing needed: `limit`.
int32_t Times(int64_t have, int64_t need, int32_t limit) {
  if (need <= 0) return limit;
  return static_cast<int32_t>(std::min<int64_t>(limit, std::max<int64_t>(0, have) / need));
}

bool IsLoopback(const std::string& address) {
  return absl::StartsWith(address, "127.") || address == "::1" || address == "localhost" ||
         absl::StartsWith(address, "[::1]");
}

}  // namespace

int32_t RanksThatFit(const NodeRoom& room, const state::Resources& need, int32_t limit) {
  int32_t fit = Times(room.cpus_milli, need.cpus_milli, limit);
  fit = Times(room.memory_bytes, need.memory_bytes, fit);
  fit = Times(room.disk_bytes, need.disk_bytes, fit);
  if (need.gpus > 0 && fit > 0) {
    int64_t matching = 0;
    for (const state::Gpu& gpu : room.node->offer.gpus) {
      matching += GpuMatches(gpu, need) &&
                  std::binary_search(room.gpus.begin(), room.gpus.end(), gpu.index);
    }
    fit = Times(matching, need.gpus, fit);
  }
  return fit;
}

int32_t RanksThatFitEmpty(const state::NodeOffer& offer, const state::Resources& need,
                          int32_t limit) {
  int32_t fit = Times(offer.cpus_milli, need.cpus_milli, limit);
  fit = Times(offer.memory_bytes, need.memory_bytes, fit);
  fit = Times(offer.disk_free_bytes, need.disk_bytes, fit);
  if (need.gpus > 0) {
    const auto matching = std::count_if(offer.gpus.begin(), offer.gpus.end(),
                                        [&](const auto& gpu) { return GpuMatches(gpu, need); });
    fit = Times(matching, need.gpus, fit);
  }
  return fit;
}

std::vector<int32_t> PickGpus(const NodeRoom& room, const state::Resources& need, int32_t ranks) {
  std::vector<int32_t> picked;
  const size_t wanted = static_cast<size_t>(need.gpus) * static_cast<size_t>(ranks);
  for (const int32_t index : room.gpus) {
    if (picked.size() == wanted) break;
    const auto& gpus = room.node->offer.gpus;
    const auto gpu =
        std::find_if(gpus.begin(), gpus.end(), [&](const auto& g) { return g.index == index; });
    if (gpu != gpus.end() && GpuMatches(*gpu, need)) picked.push_back(index);
  }
  BATON_CHECK(picked.size() == wanted, "the node has no room for these GPUs");
  return picked;
}

std::string DataAddress(const state::NodeOffer& offer) {
  return offer.data_addresses.empty() ? "" : offer.data_addresses.front();
}

bool IsReachable(const state::NodeOffer& offer) {
  const std::string address = DataAddress(offer);
  return !address.empty() && !IsLoopback(address);
}

bool Preference::operator()(const NodeRoom* a, const NodeRoom* b) const {
  const state::NodeOffer& x = a->node->offer;
  const state::NodeOffer& y = b->node->offer;
  if (x.price_usd_micro_per_hour != y.price_usd_micro_per_hour) {
    return x.price_usd_micro_per_hour < y.price_usd_micro_per_hour;
  }
  return x.id < y.id;
}

void Fleet::Add(const state::Node* node) {
  const state::NodeOffer& offer = node->offer;
  auto [it, added] = rooms_.try_emplace(offer.id);
  BATON_CHECK(added, "node added twice");
  NodeRoom& room = it->second;
  room.node = node;
  room.cpus_milli = offer.cpus_milli;
  room.memory_bytes = offer.memory_bytes;
  room.disk_bytes = offer.disk_free_bytes;
  for (const state::Gpu& gpu : offer.gpus) room.gpus.push_back(gpu.index);
  std::sort(room.gpus.begin(), room.gpus.end());
  if (!IsReachable(offer)) ++loopback_only_[offer.host_id];
  Refresh(offer.id);
}

void Fleet::Remove(const state::NodeId& node) {
  const auto it = rooms_.find(node);
  BATON_CHECK(it != rooms_.end(), "unknown node removed");
  ++changes_;
  open_.erase(&it->second);
  List(it->second, {});
  const state::NodeOffer& offer = it->second.node->offer;
  if (!IsReachable(offer)) {
    const auto host = loopback_only_.find(offer.host_id);
    if (--host->second == 0) loopback_only_.erase(host);
  }
  rooms_.erase(it);
}

void Fleet::Place(NodeRoom& room) {
  ++changes_;
  room.takes_work = room.node->TakesWork() && !room.node->Unheard(term_);
  if (room.takes_work && room.cpus_milli > 0) {
    open_.insert(&room);
    List(room, room.node->offer.cached);
  } else {
    open_.erase(&room);
    List(room, {});
  }
}

void Fleet::List(NodeRoom& room, const std::vector<uint64_t>& data) {
  if (room.listed == data) return;
  for (const uint64_t one : room.listed) {
    const auto at = holding_.find(one);
    at->second.erase(&room);
    if (at->second.empty()) holding_.erase(at);
  }
  for (const uint64_t one : data) holding_[one].insert(&room);
  room.listed = data;
}

const Fleet::Open* Fleet::Holding(uint64_t data) const {
  const auto it = holding_.find(data);
  return it == holding_.end() ? nullptr : &it->second;
}

void Fleet::Take(const state::NodeId& node, const state::Resources& need,
                 const std::vector<int32_t>& gpus) {
  NodeRoom& room = rooms_.at(node);
  room.cpus_milli -= need.cpus_milli;
  room.memory_bytes -= need.memory_bytes;
  room.disk_bytes -= need.disk_bytes;
  for (const int32_t gpu : gpus) {
    const auto at = std::lower_bound(room.gpus.begin(), room.gpus.end(), gpu);
    BATON_CHECK(at != room.gpus.end() && *at == gpu, "two tasks on one GPU");
    room.gpus.erase(at);
  }
  Place(room);
}

void Fleet::Give(const state::NodeId& node, const state::Resources& need,
                 const std::vector<int32_t>& gpus) {
  NodeRoom& room = rooms_.at(node);
  room.cpus_milli += need.cpus_milli;
  room.memory_bytes += need.memory_bytes;
  room.disk_bytes += need.disk_bytes;
  for (const int32_t gpu : gpus) {
    room.gpus.insert(std::lower_bound(room.gpus.begin(), room.gpus.end(), gpu), gpu);
  }
  Place(room);
}

void Fleet::SetTerm(uint64_t term) {
  term_ = term;
  for (auto& [id, room] : rooms_) Place(room);
}

void Fleet::Refresh(const state::NodeId& node) {
  NodeRoom& room = rooms_.at(node);
  room.slot = reach_ == nullptr ? -1 : reach_->SlotOf(node);
  Place(room);
}

void Fleet::SetReach(const state::Reach* reach) {
  reach_ = reach;
  for (const auto& [id, room] : rooms_) Refresh(id);
}

void Fleet::SetPromise(const state::NodeId& node, std::shared_ptr<const state::JobSpec> spec) {
  ++changes_;
  rooms_.at(node).promised_spec = std::move(spec);
}

const NodeRoom* Fleet::Find(const state::NodeId& node) const {
  const auto it = rooms_.find(node);
  return it == rooms_.end() ? nullptr : &it->second;
}

bool Fleet::HasLoopbackOnly(const std::string& host_id) const {
  return loopback_only_.count(host_id) != 0;
}

}  // namespace baton::policy
