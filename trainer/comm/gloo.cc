#include "trainer/comm/gloo.h"

#include <gloo/config.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>
#include <gloo/transport/unbound_buffer.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

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

// The addresses of the mesh over our rendezvous. A wait throws as soon as the generation is
// aborted, where Gloo's own stores block for their full timeouts.
class MeshStore : public gloo::rendezvous::Store {
 public:
  MeshStore(const GlooOptions& options, Rendezvous& rendezvous)
      : options_(options), rendezvous_(rendezvous) {}

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
        Fetch(MeshKey(std::to_string(rank)));
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

  std::string Fetch(const std::string& key) {
    absl::StatusOr<std::string> value = rendezvous_.Wait(key, options_.meet_timeout);
    if (!value.ok()) throw RendezvousFailed(value.status());
    return *std::move(value);
  }

  const GlooOptions& options_;
  Rendezvous& rendezvous_;
  bool all_met_ = false;
};

// One buffer for all peers: a wait on it ends as soon as one of them fails from whom something is
// still to come. A transfer under way may be destroyed: Gloo's operations hold its buffers weakly.
class GlooTransfer : public Transfer {
 public:
  GlooTransfer(gloo::Context& context, uint64_t id, const TransferPlan& plan)
      : context_(context),
        plan_(plan),
        watch_slot_(id << 40),
        next_slot_(watch_slot_ + 1),
        send_(context.createUnboundBuffer(const_cast<void*>(plan.send), plan.send_bytes)),
        receive_(context.createUnboundBuffer(plan.receive, plan.receive_bytes)) {}

  void Start() override {
    started_ = Guarded([&] {
      if (!watching_) Watch();
      Post();
    });
  }

  absl::Status Finish(std::chrono::milliseconds timeout) override {
    absl::Status status = std::exchange(started_, absl::OkStatus());
    const auto deadline = SteadyClock::now() + timeout;
    if (status.ok()) {
      status = Guarded([&] {
        for (size_t i = 0; i < plan_.receives.size(); ++i) receive_->waitRecv(Left(deadline));
        for (size_t i = 0; i < plan_.sends.size(); ++i) send_->waitSend(Left(deadline));
      });
    }
    const std::string gone = absl::IsUnavailable(status) ? PeersGone() : "";
    if (gone.empty()) return status;
    return absl::UnavailableError(absl::StrCat(gone, " went away (", status.message(), ")"));
  }

  // Without a watch, which outlives the transfer in Gloo's lists: there are many that run once.
  absl::Status Run(std::chrono::milliseconds timeout) override {
    started_ = Guarded([&] { Post(); });
    return Finish(timeout);
  }

 private:
  // Gloo's exceptions as a status.
  static absl::Status Guarded(absl::FunctionRef<void()> call) {
    try {
      call();
    } catch (const std::exception& error) {
      return FromException(error, "exchange with the other ranks");
    }
    return absl::OkStatus();
  }

  // A receive that nobody ever sends to, from each peer: with several transfers under way, one
  // peer's part of this one may have come while it is another's that is waited for, and the first
  // peer's death would not end that wait.
  void Watch() {
    for (const Message& m : plan_.receives) receive_->recv(m.peer, watch_slot_, 0, 1);
    watching_ = true;
  }

  void Post() {
    const uint64_t slot = next_slot_++;
    for (const Message& m : plan_.receives) {
      receive_->recv(m.peer, slot, m.offset_bytes, m.size_bytes);
    }
    for (const Message& m : plan_.sends) {
      send_->send(m.peer, slot, m.offset_bytes, m.size_bytes);
    }
  }

  // "rank 1, rank 2". Gloo does not say whose connection broke, but refuses a receive on one that
  // did.
  std::string PeersGone() {
    std::string gone;
    for (const Message& m : plan_.receives) {
      try {
        probes_.push_back(context_.createUnboundBuffer(&probe_byte_, 1));
        probes_.back()->recv(m.peer, next_slot_++);
      } catch (const std::exception&) {
        absl::StrAppend(&gone, gone.empty() ? "" : ", ", "rank ", m.peer);
      }
    }
    return gone;
  }

  // Zero would mean "no timeout" to Gloo.
  static std::chrono::milliseconds Left(SteadyClock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    return std::max(left, std::chrono::milliseconds(1));
  }

  gloo::Context& context_;
  const TransferPlan plan_;
  char probe_byte_ = 0;
  std::vector<std::unique_ptr<gloo::transport::UnboundBuffer>> probes_;
  absl::Status started_;
  bool watching_ = false;
  const uint64_t watch_slot_;
  uint64_t next_slot_;  // one per run: a late message of an earlier run never matches
  const std::unique_ptr<gloo::transport::UnboundBuffer> send_;
  const std::unique_ptr<gloo::transport::UnboundBuffer> receive_;
};

// A receive from each peer of what nobody ever sends: only a peer's end ends the wait for it.
class GlooWatch : public PeerWatch {
 public:
  GlooWatch(gloo::Context& context, uint64_t id)
      : buffer_(context.createUnboundBuffer(&byte_, sizeof(byte_))) {
    for (int peer = 0; peer < context.size; ++peer) {
      if (peer != context.rank) buffer_->recv(peer, id << 40);
    }
    thread_ = std::thread([this] { Wait(); });
  }
  ~GlooWatch() override {
    buffer_->abortWaitRecv();
    thread_.join();
  }

  absl::Status status() const override {
    if (!lost_) return absl::OkStatus();
    return absl::UnavailableError("another rank went away");
  }

 private:
  void Wait() {
    try {
      buffer_->waitRecv(std::chrono::hours(24 * 365));
    } catch (const std::exception&) {
      lost_ = true;
    }
  }

  char byte_ = 0;
  std::atomic<bool> lost_{false};
  const std::unique_ptr<gloo::transport::UnboundBuffer> buffer_;
  std::thread thread_;
};

class GlooGroup : public Group {
 public:
  explicit GlooGroup(std::shared_ptr<gloo::rendezvous::Context> context)
      : context_(std::move(context)) {}

  int rank() const override { return context_->rank; }
  int size() const override { return context_->size; }

  absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) override {
    TransferPlan useful = plan;
    std::erase_if(useful.sends, [](const Message& m) { return m.size_bytes == 0; });
    std::erase_if(useful.receives, [](const Message& m) { return m.size_bytes == 0; });
    try {
      return std::make_unique<GlooTransfer>(*context_, next_transfer_++, useful);
    } catch (const std::exception& error) {
      return FromException(error, "preparing an exchange");
    }
  }

  absl::StatusOr<std::unique_ptr<PeerWatch>> WatchPeers() override {
    try {
      return std::make_unique<GlooWatch>(*context_, next_transfer_++);
    } catch (const std::exception& error) {
      return FromException(error, "watching the other ranks");
    }
  }

 private:
  const std::shared_ptr<gloo::rendezvous::Context> context_;
  uint64_t next_transfer_ = 1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Group>> FormGlooGroup(const GlooOptions& options,
                                                     Rendezvous& rendezvous) {
  std::shared_ptr<gloo::transport::Device> device;
  try {
    gloo::transport::tcp::attr attributes(options.address.c_str());
    device = gloo::transport::tcp::CreateDevice(attributes);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on address \"", options.address, "\" of this node: ", error.what(),
        "; set --address or BATON_NODE_ADDRESS to one it has"));
  }
  try {
    auto context = std::make_shared<gloo::rendezvous::Context>(options.rank, options.world_size);
    context->setTimeout(options.connect_timeout);
    MeshStore store(options, rendezvous);
    context->connectFullMesh(store, device);
    return std::make_unique<GlooGroup>(std::move(context));
  } catch (const RendezvousFailed& failed) {
    return failed.status;
  } catch (const std::exception& error) {
    return FromException(error, "connecting with the other ranks");
  }
}

std::string GlooVersion() {
  return absl::StrCat(GLOO_VERSION_MAJOR, ".", GLOO_VERSION_MINOR, ".", GLOO_VERSION_PATCH);
}

}  // namespace baton::trainer
