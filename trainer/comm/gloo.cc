#include "trainer/comm/gloo.h"

#include <gloo/config.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>
#include <gloo/transport/unbound_buffer.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Carries a status through Gloo's mesh code, which knows exceptions only.
struct RendezvousFailed : std::exception {
  explicit RendezvousFailed(absl::Status why) : status(std::move(why)) {}
  const char* what() const noexcept override { return "rendezvous failed"; }
  absl::Status status;
};

// Gloo tells a timeout from a broken connection by text only.
absl::Status FromException(const std::exception& error, absl::string_view doing) {
  const std::string text = error.what();
  const std::string message = absl::StrCat(doing, ": ", text);
  if (absl::StrContains(text, "Timed out")) return absl::DeadlineExceededError(message);
  return absl::UnavailableError(message);
}

// The board answers within this what it has.
constexpr std::chrono::milliseconds kAnswerTime{300};
// Gloo tries a connection so often.
constexpr int kConnectTries = 5;

// The addresses of the mesh over our rendezvous. A wait throws as soon as the generation is
// aborted, where Gloo's own stores block for their full timeouts.
class MeshStore : public gloo::rendezvous::Store {
 public:
  MeshStore(const GlooOptions& options, Rendezvous& rendezvous, std::vector<int>& missing)
      : options_(options), rendezvous_(rendezvous), missing_(missing) {}

  void set(const std::string& key, const std::vector<char>& data) override {
    const absl::Status status =
        rendezvous_.Set(MeshKey(key), absl::string_view(data.data(), data.size()));
    if (!status.ok()) throw RendezvousFailed(status);
  }

  std::vector<char> get(const std::string& key) override {
    const std::string value = Fetch(MeshKey(key));
    return std::vector<char>(value.begin(), value.end());
  }

  // The first wait is for everybody: a rank may only begin to connect when all can, since the
  // timeout of a connection is short.
  void wait(const std::vector<std::string>& keys) override {
    if (!all_met_) {
      for (int rank = 0; rank < options_.world_size; ++rank) {
        const absl::StatusOr<std::string> address =
            rendezvous_.Wait(MeshKey(std::to_string(rank)), options_.meet_timeout);
        if (address.ok()) continue;
        if (absl::IsDeadlineExceeded(address.status())) FindMissing(rank);
        throw RendezvousFailed(address.status());
      }
      all_met_ = true;
    }
    for (const std::string& key : keys) Fetch(MeshKey(key));
  }

  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override {
    wait(keys);
  }

 private:
  static std::string MeshKey(const std::string& key) { return "mesh-" + key; }

  // `first`, for whom was waited, and those after it whose address is not there by now either.
  void FindMissing(int first) {
    missing_.push_back(first);
    for (int rank = first + 1; rank < options_.world_size; ++rank) {
      if (rank == options_.rank) continue;
      const absl::Status status =
          rendezvous_.Wait(MeshKey(std::to_string(rank)), kAnswerTime).status();
      if (absl::IsDeadlineExceeded(status)) missing_.push_back(rank);
    }
  }

  std::string Fetch(const std::string& key) {
    absl::StatusOr<std::string> value = rendezvous_.Wait(key, options_.meet_timeout);
    if (!value.ok()) throw RendezvousFailed(value.status());
    return *std::move(value);
  }

  const GlooOptions& options_;
  Rendezvous& rendezvous_;
  std::vector<int>& missing_;
  bool all_met_ = false;
};

constexpr char kMet[] = "1", kNotMet[] = "0";

std::string MetKey(int rank) { return absl::StrCat("met-", rank); }

// After a mesh that failed, of a rank that is there: Gloo does not say whom it could not reach, so
// each rank tells how it fared. Who tells nothing is missing, and if nobody is, those that failed.
std::vector<int> WhoDidNotMeet(const GlooOptions& options, Rendezvous& rendezvous) {
  std::vector<int> missing, failed;
  const auto deadline = SteadyClock::now() + kConnectTries * options.connect_timeout;
  for (int rank = 0; rank < options.world_size; ++rank) {
    if (rank == options.rank) continue;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    const absl::StatusOr<std::string> met =
        rendezvous.Wait(MetKey(rank), std::max(left, kAnswerTime));
    if (absl::IsDeadlineExceeded(met.status())) missing.push_back(rank);
    if (met.ok() && *met != kMet) failed.push_back(rank);
    if (absl::IsAborted(met.status()) || absl::IsCancelled(met.status())) return {};
  }
  return missing.empty() ? failed : missing;
}

// For who never looks at a clock: Gloo's own timeouts close all connections of a context, and then
// this rank would be the one that failed the others.
constexpr std::chrono::hours kForever{24 * 365};
// How exactly a wait keeps its time, and how soon one learns of the second peer that went.
constexpr std::chrono::milliseconds kTick{10};

// Gloo's exceptions as a status.
absl::Status Guarded(absl::FunctionRef<void()> call) {
  try {
    call();
  } catch (const std::exception& error) {
    return FromException(error, "exchange with the other ranks");
  }
  return absl::OkStatus();
}

// What all transfers of a context have in common: who went away, and an end to waits whose time is
// up or whose peers are gone.
class Peers {
 public:
  explicit Peers(std::shared_ptr<gloo::rendezvous::Context> context)
      : context_(std::move(context)),
        watch_(context_->createUnboundBuffer(&watch_byte_, sizeof(watch_byte_))) {
    // From each peer what nobody ever sends: only a peer's end ends the wait for it.
    absl::Status watching = Guarded([&] {
      for (int peer = 0; peer < context_->size; ++peer) {
        if (peer != context_->rank) watch_->recv(peer, kWatchSlot);
      }
    });
    if (!watching.ok()) broken_ = true;
    watcher_ = std::thread([this] { Watch(); });
    ticker_ = std::thread([this] { Tick(); });
  }

  ~Peers() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    ended_.notify_all();
    watch_->abortWaitRecv();
    watcher_.join();
    ticker_.join();
  }

  gloo::rendezvous::Context& context() { return *context_; }
  SuspectList& suspects() { return suspects_; }
  bool broken() const { return broken_; }

  enum class End { kDone, kSilent, kBroken };
  // Waits for one operation of the buffer; kBroken says that some peer, not always this one, went
  // away. Throws as Gloo does.
  End Wait(gloo::transport::UnboundBuffer& buffer, bool receive, SteadyClock::time_point deadline) {
    while (true) {
      Arm({&buffer, receive, deadline, std::nullopt});
      bool done = false;
      try {
        done = receive ? buffer.waitRecv(nullptr, kForever) : buffer.waitSend(nullptr, kForever);
      } catch (...) {
        Disarm();
        throw;
      }
      const std::optional<End> why = Disarm();
      if (done) return End::kDone;
      // Else what ended an earlier wait on the buffer, which was done already.
      if (why) return *why;
    }
  }

  // Whether the connection to a peer is gone: Gloo does not say whose broke, but refuses a receive
  // on one that did.
  bool IsGone(int peer) {
    if (gone_.count(peer) > 0) return true;
    probes_.push_back(context_->createUnboundBuffer(&probe_byte_, 1));
    const absl::Status status =
        Guarded([&] { probes_.back()->recv(peer, kWatchSlot + ++probe_count_); });
    if (status.ok()) return false;
    gone_.insert(peer);
    return true;
  }

 private:
  static constexpr uint64_t kWatchSlot = 0;  // transfers have others

  struct Armed {
    gloo::transport::UnboundBuffer* buffer;
    bool receive;
    SteadyClock::time_point deadline;
    std::optional<End> ended;
  };

  void Arm(const Armed& armed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    armed_ = armed;
  }

  std::optional<End> Disarm() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::optional<End> ended = armed_->ended;
    armed_.reset();
    return ended;
  }

  // Under mutex_.
  void Interrupt(End why) {
    armed_->ended = why;
    if (armed_->receive) {
      armed_->buffer->abortWaitRecv();
    } else {
      armed_->buffer->abortWaitSend();
    }
  }

  void Watch() {
    const absl::Status status = Guarded([&] { watch_->waitRecv(nullptr, kForever); });
    if (status.ok()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    if (armed_ && !armed_->ended) Interrupt(End::kBroken);
  }

  void Tick() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!ended_.wait_for(lock, kTick, [&] { return ending_; })) {
      if (!armed_ || armed_->ended) continue;
      if (SteadyClock::now() >= armed_->deadline) {
        Interrupt(End::kSilent);
      } else if (broken_) {
        Interrupt(End::kBroken);
      }
    }
  }

  const std::shared_ptr<gloo::rendezvous::Context> context_;
  SuspectList suspects_;
  std::set<int> gone_;  // this and the two below: of the thread that waits
  char probe_byte_ = 0;
  std::vector<std::unique_ptr<gloo::transport::UnboundBuffer>> probes_;
  uint64_t probe_count_ = 0;
  std::atomic<bool> broken_{false};
  char watch_byte_ = 0;
  const std::unique_ptr<gloo::transport::UnboundBuffer> watch_;
  std::mutex mutex_;  // this and all below
  std::condition_variable ended_;
  bool ending_ = false;
  std::optional<Armed> armed_;
  std::thread watcher_, ticker_;
};

// A buffer for each message, so that it is known whose did not come. A transfer under way may be
// destroyed: Gloo's operations hold its buffers weakly.
class GlooTransfer : public Transfer {
 public:
  GlooTransfer(std::shared_ptr<Peers> peers, uint64_t id, const TransferPlan& plan)
      : peers_(std::move(peers)), next_slot_(id << 40) {
    const auto add = [this](const Message& message, const void* memory, std::vector<Part>& parts) {
      char* at = static_cast<char*>(const_cast<void*>(memory)) + message.offset_bytes;
      parts.push_back(
          {message.peer, peers_->context().createUnboundBuffer(at, message.size_bytes), false});
    };
    for (const Message& message : plan.sends) add(message, plan.send, sends_);
    for (const Message& message : plan.receives) add(message, plan.receive, receives_);
  }

  void Start() override {
    started_ = Guarded([&] {
      const uint64_t slot = next_slot_++;
      for (Part& part : receives_) {
        part.done = false;
        part.buffer->recv(part.peer, slot);
      }
      for (Part& part : sends_) {
        part.done = false;
        part.buffer->send(part.peer, slot);
      }
    });
  }

  absl::Status Finish(std::chrono::milliseconds timeout) override {
    const auto deadline = SteadyClock::now() + timeout;
    absl::Status status = std::exchange(started_, absl::OkStatus());
    if (!status.ok()) return WhoWent(receives_, 0, status);
    BATON_RETURN_IF_ERROR(Await(receives_, true, deadline));
    return Await(sends_, false, deadline);
  }

 private:
  struct Part {
    int peer;
    std::unique_ptr<gloo::transport::UnboundBuffer> buffer;
    bool done;  // waited for, in this run
  };

  absl::Status Await(std::vector<Part>& parts, bool receive, SteadyClock::time_point deadline) {
    for (size_t i = 0; i < parts.size();) {
      if (parts[i].done) {
        ++i;
        continue;
      }
      Peers::End end = Peers::End::kDone;
      absl::Status status =
          Guarded([&] { end = peers_->Wait(*parts[i].buffer, receive, deadline); });
      parts[i].done = status.ok() && end == Peers::End::kDone;
      if (parts[i].done) continue;
      if (end == Peers::End::kSilent) return WhoIsSilent(parts, i, receive);
      if (status.ok()) {
        // Also one that had given its part: the others may wait for it elsewhere, for ever.
        if (!AnyGone(parts)) continue;
        status = absl::UnavailableError("the connection broke");
      }
      return WhoWent(parts, i, status);
    }
    return absl::OkStatus();
  }

  bool AnyGone(const std::vector<Part>& parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [this](const Part& part) { return peers_->IsGone(part.peer); });
  }

  bool HasCome(Part& part, bool receive) {
    if (part.done) return true;
    Peers::End end = Peers::End::kSilent;
    const absl::Status status =
        Guarded([&] { end = peers_->Wait(*part.buffer, receive, SteadyClock::now() + kTick); });
    part.done = status.ok() && end == Peers::End::kDone;
    return part.done;
  }

  absl::Status WhoWent(const std::vector<Part>& parts, size_t first, const absl::Status& status) {
    if (!absl::IsUnavailable(status)) return status;
    std::string gone;
    for (const std::vector<Part>* all : {&receives_, &sends_}) {
      for (const Part& part : *all) {
        if (!peers_->IsGone(part.peer)) continue;
        peers_->suspects().Add(part.peer);
        if (all == &receives_) {
          absl::StrAppend(&gone, gone.empty() ? "" : ", ", "rank ", part.peer);
        }
      }
    }
    if (peers_->suspects().ranks().empty() && first < parts.size()) {
      peers_->suspects().Add(parts[first].peer);
    }
    if (gone.empty()) return status;
    return absl::UnavailableError(absl::StrCat(gone, " went away (", status.message(), ")"));
  }

  absl::Status WhoIsSilent(std::vector<Part>& parts, size_t first, bool receive) {
    std::string silent = absl::StrCat("rank ", parts[first].peer);
    peers_->suspects().Add(parts[first].peer);
    for (size_t i = first + 1; i < parts.size(); ++i) {
      if (HasCome(parts[i], receive)) continue;
      peers_->suspects().Add(parts[i].peer);
      absl::StrAppend(&silent, ", rank ", parts[i].peer);
    }
    return absl::DeadlineExceededError(absl::StrCat(silent, " is silent"));
  }

  const std::shared_ptr<Peers> peers_;
  absl::Status started_;
  uint64_t next_slot_;  // one per run: a late message of an earlier run never matches
  std::vector<Part> sends_, receives_;
};

class GlooWatch : public PeerWatch {
 public:
  explicit GlooWatch(std::shared_ptr<const Peers> peers) : peers_(std::move(peers)) {}
  absl::Status status() const override {
    if (!peers_->broken()) return absl::OkStatus();
    return absl::UnavailableError("another rank went away");
  }

 private:
  const std::shared_ptr<const Peers> peers_;
};

class GlooGroup : public Group {
 public:
  explicit GlooGroup(std::shared_ptr<gloo::rendezvous::Context> context)
      : rank_(context->rank),
        size_(context->size),
        peers_(std::make_shared<Peers>(std::move(context))) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) override {
    TransferPlan useful = plan;
    std::erase_if(useful.sends, [](const Message& m) { return m.size_bytes == 0; });
    std::erase_if(useful.receives, [](const Message& m) { return m.size_bytes == 0; });
    const uint64_t id = next_transfer_++;
    try {
      return std::make_unique<GlooTransfer>(peers_, id, useful);
    } catch (const std::exception& error) {
      return FromException(error, "preparing an exchange");
    }
  }

  absl::StatusOr<std::unique_ptr<PeerWatch>> WatchPeers() override {
    return std::make_unique<GlooWatch>(peers_);
  }

  std::vector<int> Suspects() override {
    for (int peer = 0; peer < size_ && peers_->broken(); ++peer) {
      if (peer != rank_ && peers_->IsGone(peer)) peers_->suspects().Add(peer);
    }
    return peers_->suspects().ranks();
  }

 private:
  const int rank_;
  const int size_;
  const std::shared_ptr<Peers> peers_;
  uint64_t next_transfer_ = 1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Group>> FormGlooGroup(const GlooOptions& options,
                                                     Rendezvous& rendezvous,
                                                     std::vector<int>* missing) {
  std::shared_ptr<gloo::transport::Device> device;
  try {
    gloo::transport::tcp::attr attributes(options.address.c_str());
    device = gloo::transport::tcp::CreateDevice(attributes);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on address \"", options.address, "\" of this node: ", error.what(),
        "; set --address or BATON_NODE_ADDRESS to one it has"));
  }
  absl::Status failure;
  std::vector<int> ignored;
  if (missing == nullptr) missing = &ignored;
  try {
    auto context = std::make_shared<gloo::rendezvous::Context>(options.rank, options.world_size);
    context->setTimeout(options.connect_timeout);
    MeshStore store(options, rendezvous, *missing);
    context->connectFullMesh(store, device);
    auto group = std::make_unique<GlooGroup>(std::move(context));
    BATON_RETURN_IF_ERROR(rendezvous.Set(MetKey(options.rank), kMet));
    return group;
  } catch (const RendezvousFailed& failed) {
    return failed.status;
  } catch (const std::exception& error) {
    failure = FromException(error, "connecting with the other ranks");
  }
  rendezvous.Set(MetKey(options.rank), kNotMet).IgnoreError();
  *missing = WhoDidNotMeet(options, rendezvous);
  return failure;
}

std::string GlooVersion() {
  return absl::StrCat(GLOO_VERSION_MAJOR, ".", GLOO_VERSION_MINOR, ".", GLOO_VERSION_PATCH);
}

}  // namespace baton::trainer
