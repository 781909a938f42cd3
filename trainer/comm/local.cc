#include "trainer/comm/local.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace baton::trainer {
namespace {

using Bytes = std::vector<char>;
using SteadyClock = std::chrono::steady_clock;

// The messages of one transfer from one rank to another keep their order.
struct Channel {
  int from;
  int to;
  uint64_t transfer;

  friend bool operator<(const Channel& a, const Channel& b) {
    return std::tie(a.from, a.to, a.transfer) < std::tie(b.from, b.to, b.transfer);
  }
};

// What all members share.
class Hub {
 public:
  Hub(int size, const LocalLink& link)
      : size_(size), link_(link), line_free_(static_cast<size_t>(size)), left_(size) {}

  int size() const { return size_; }

  void Send(const Channel& channel, Bytes bytes) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      SteadyClock::time_point& line_free = line_free_[static_cast<size_t>(channel.from)];
      line_free = std::max(line_free, SteadyClock::now());
      if (link_.bytes_per_s > 0) {
        line_free += std::chrono::nanoseconds(
            static_cast<int64_t>(1e9 * static_cast<double>(bytes.size()) / link_.bytes_per_s));
      }
      queues_[channel].push_back({line_free + link_.latency, std::move(bytes)});
    }
    changed_.notify_all();
  }

  absl::Status Receive(const Channel& channel, SteadyClock::time_point deadline, Bytes* bytes) {
    std::unique_lock<std::mutex> lock(mutex_);
    std::deque<Sent>& queue = queues_[channel];
    const bool in_time = changed_.wait_until(
        lock, deadline, [&] { return !queue.empty() || left_[static_cast<size_t>(channel.from)]; });
    if (!in_time || (!queue.empty() && queue.front().arrives > deadline)) {
      return absl::DeadlineExceededError(absl::StrCat("rank ", channel.from, " is silent"));
    }
    if (queue.empty()) {
      return absl::UnavailableError(absl::StrCat("rank ", channel.from, " has left"));
    }
    Sent sent = std::move(queue.front());
    queue.pop_front();
    if (queue.empty()) queues_.erase(channel);
    lock.unlock();
    std::this_thread::sleep_until(sent.arrives);
    *bytes = std::move(sent.bytes);
    return absl::OkStatus();
  }

  bool HasLeft(int rank) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return left_[static_cast<size_t>(rank)];
  }

  // Of the ranks other than `rank`.
  absl::Status WhoLeft(int rank) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (int peer = 0; peer < size_; ++peer) {
      if (peer == rank || !left_[static_cast<size_t>(peer)]) continue;
      return absl::UnavailableError(absl::StrCat("rank ", peer, " has left"));
    }
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
  struct Sent {
    SteadyClock::time_point arrives;
    Bytes bytes;
  };

  const int size_;
  const LocalLink link_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Channel, std::deque<Sent>> queues_;      // under mutex_
  std::vector<SteadyClock::time_point> line_free_;  // of each sender; under mutex_
  std::vector<bool> left_;                          // under mutex_
};

class LocalWatch : public PeerWatch {
 public:
  LocalWatch(std::shared_ptr<Hub> hub, int rank) : hub_(std::move(hub)), rank_(rank) {}
  absl::Status status() const override { return hub_->WhoLeft(rank_); }

 private:
  const std::shared_ptr<Hub> hub_;
  const int rank_;
};

class LocalTransfer : public Transfer {
 public:
  LocalTransfer(std::shared_ptr<Hub> hub, std::shared_ptr<SuspectList> suspects, int rank,
                uint64_t id, const TransferPlan& plan)
      : hub_(std::move(hub)), suspects_(std::move(suspects)), rank_(rank), id_(id), plan_(plan) {}

  void Start() override {
    for (const Message& message : plan_.sends) {
      const char* begin = static_cast<const char*>(plan_.send) + message.offset_bytes;
      hub_->Send({rank_, message.peer, id_}, Bytes(begin, begin + message.size_bytes));
    }
  }

  absl::Status Finish(std::chrono::milliseconds timeout) override {
    const auto deadline = SteadyClock::now() + timeout;
    for (const Message& message : plan_.receives) {
      Bytes bytes;
      absl::Status received = hub_->Receive({message.peer, rank_, id_}, deadline, &bytes);
      if (!received.ok()) {
        suspects_->Add(message.peer);
        return received;
      }
      BATON_CHECK(bytes.size() == message.size_bytes, "ranks disagree on the size of a message");
      std::copy(bytes.begin(), bytes.end(),
                static_cast<char*>(plan_.receive) + message.offset_bytes);
    }
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Hub> hub_;
  const std::shared_ptr<SuspectList> suspects_;
  const int rank_;
  const uint64_t id_;
  const TransferPlan plan_;
};

class LocalGroup : public Group {
 public:
  LocalGroup(std::shared_ptr<Hub> hub, int rank) : hub_(std::move(hub)), rank_(rank) {}
  ~LocalGroup() override { hub_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return hub_->size(); }

  absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) override {
    return std::make_unique<LocalTransfer>(hub_, suspects_, rank_, next_transfer_++, plan);
  }

  absl::StatusOr<std::unique_ptr<PeerWatch>> WatchPeers() override {
    return std::make_unique<LocalWatch>(hub_, rank_);
  }

  std::vector<int> Suspects() override {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer != rank_ && hub_->HasLeft(peer)) suspects_->Add(peer);
    }
    return suspects_->ranks();
  }

 private:
  const std::shared_ptr<Hub> hub_;
  const std::shared_ptr<SuspectList> suspects_ = std::make_shared<SuspectList>();
  const int rank_;
  uint64_t next_transfer_ = 0;  // the same on all ranks, since they prepare in the same order
};

}  // namespace

std::vector<std::unique_ptr<Group>> MakeLocalGroupOver(const LocalLink& link, int size) {
  const auto hub = std::make_shared<Hub>(size, link);
  std::vector<std::unique_ptr<Group>> members;
  for (int rank = 0; rank < size; ++rank) {
    members.push_back(std::make_unique<LocalGroup>(hub, rank));
  }
  return members;
}

std::vector<std::unique_ptr<Group>> MakeLocalGroup(int size) {
  return MakeLocalGroupOver({}, size);
}

}  // namespace baton::trainer
