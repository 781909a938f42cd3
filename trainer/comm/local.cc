#include "trainer/comm/local.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace baton::trainer {
namespace {

using Bytes = std::vector<char>;

// What all members share.
class Hub {
 public:
  explicit Hub(int size) : size_(size), queues_(static_cast<size_t>(size) * size), left_(size) {}

  int size() const { return size_; }

  void Send(int from, int to, Bytes bytes) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      Queue(from, to).push_back(std::move(bytes));
    }
    changed_.notify_all();
  }

  absl::Status Receive(int from, int to, std::chrono::steady_clock::time_point deadline,
                       Bytes* bytes) {
    std::unique_lock<std::mutex> lock(mutex_);
    std::deque<Bytes>& queue = Queue(from, to);
    const bool in_time = changed_.wait_until(
        lock, deadline, [&] { return !queue.empty() || left_[static_cast<size_t>(from)]; });
    if (!in_time) {
      return absl::DeadlineExceededError(absl::StrCat("rank ", from, " is silent"));
    }
    if (queue.empty()) return absl::UnavailableError(absl::StrCat("rank ", from, " has left"));
    *bytes = std::move(queue.front());
    queue.pop_front();
    return absl::OkStatus();
  }

  void Leave(int rank) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      left_[static_cast<size_t>(rank)] = true;
    }
    changed_.notify_all();
  }

 private:
  // Messages of an ordered pair keep their order, so they need no name.
  std::deque<Bytes>& Queue(int from, int to) {
    return queues_[static_cast<size_t>(from) * static_cast<size_t>(size_) +
                   static_cast<size_t>(to)];
  }

  const int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<Bytes>> queues_;  // under mutex_
  std::vector<bool> left_;                 // under mutex_
};

class LocalTransfer : public Transfer {
 public:
  LocalTransfer(std::shared_ptr<Hub> hub, int rank, const TransferPlan& plan)
      : hub_(std::move(hub)), rank_(rank), plan_(plan) {}

  absl::Status Run(std::chrono::milliseconds timeout) override {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (const Message& message : plan_.sends) {
      const char* begin = static_cast<const char*>(plan_.send) + message.offset_bytes;
      hub_->Send(rank_, message.peer, Bytes(begin, begin + message.size_bytes));
    }
    for (const Message& message : plan_.receives) {
      Bytes bytes;
      absl::Status status = hub_->Receive(message.peer, rank_, deadline, &bytes);
      if (!status.ok()) return status;
      BATON_CHECK(bytes.size() == message.size_bytes, "ranks disagree on the size of a message");
      std::copy(bytes.begin(), bytes.end(),
                static_cast<char*>(plan_.receive) + message.offset_bytes);
    }
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Hub> hub_;
  const int rank_;
  const TransferPlan plan_;
};

class LocalGroup : public Group {
 public:
  LocalGroup(std::shared_ptr<Hub> hub, int rank) : hub_(std::move(hub)), rank_(rank) {}
  ~LocalGroup() override { hub_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return hub_->size(); }

  absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) override {
    return std::make_unique<LocalTransfer>(hub_, rank_, plan);
  }

 private:
  const std::shared_ptr<Hub> hub_;
  const int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Group>> MakeLocalGroup(int size) {
  const auto hub = std::make_shared<Hub>(size);
  std::vector<std::unique_ptr<Group>> members;
  for (int rank = 0; rank < size; ++rank) {
    members.push_back(std::make_unique<LocalGroup>(hub, rank));
  }
  return members;
}

}  // namespace baton::trainer
