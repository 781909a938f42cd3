#include "trainer/comm/group.h"

#include "common/status.h"

namespace baton::trainer {

absl::Status AllGather(Group& group, void* all, size_t piece_bytes,
                       std::chrono::milliseconds timeout) {
  if (group.size() == 1) return absl::OkStatus();
  TransferPlan plan;
  plan.send = plan.receive = all;
  plan.send_bytes = plan.receive_bytes = piece_bytes * static_cast<size_t>(group.size());
  for (int peer = 0; peer < group.size(); ++peer) {
    if (peer == group.rank()) continue;
    plan.sends.push_back({peer, piece_bytes * static_cast<size_t>(group.rank()), piece_bytes});
    plan.receives.push_back({peer, piece_bytes * static_cast<size_t>(peer), piece_bytes});
  }
  BATON_ASSIGN_OR_RETURN(auto transfer, group.Prepare(plan));
  return transfer->Run(timeout);
}

absl::Status Barrier(Group& group, std::chrono::milliseconds timeout) {
  std::vector<char> here(static_cast<size_t>(group.size()));
  return AllGather(group, here.data(), 1, timeout);
}

void SuspectList::Add(int rank) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ranks_.insert(rank);
}

std::vector<int> SuspectList::ranks() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {ranks_.begin(), ranks_.end()};
}

}  // namespace baton::trainer
