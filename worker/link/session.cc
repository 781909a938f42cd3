#include "worker/link/session.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/worker.grpc.pb.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/rpc/channel.h"
#include "common/status.h"

namespace baton::worker {
namespace {

using std::chrono::milliseconds;
// How often the dialling thread looks whether it is to end.
constexpr milliseconds kDialSlice{100};
// A pause once in a while, not per try, is said in the log.
constexpr int64_t kComplainEveryMs = 10'000;

// One call. Lives until `done`.
class Stream : public grpc::ClientBidiReactor<v1::WorkerMessage, v1::SchedulerMessage> {
 public:
  Stream(v1::Worker::Stub& stub, const SessionEvents& events) : events_(events) {
    stub.async()->Session(&context_, this);
    StartRead(&incoming_);
    // Held until Close: writes begin outside of reactions.
    AddHold();
    StartCall();
  }

  bool Send(v1::WorkerMessage message, bool is_chunk, size_t chunks_max) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_ || (is_chunk && chunks_ >= chunks_max)) return false;
    chunks_ += is_chunk ? 1 : 0;
    queue_.push_back({std::move(message), is_chunk});
    if (!writing_) WriteNext();
    return true;
  }

  // Takes no more messages; `in_order`: what is queued is sent first, else the call is cancelled.
  void Close(bool in_order) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!closing_) {
        closing_ = true;
        if (!writing_) Release();
      }
      if (in_order) return;
    }
    context_.TryCancel();
  }

  // True once the call is over.
  bool WaitDone(milliseconds timeout) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return done_; });
  }

  bool welcomed() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return welcomed_;
  }

  std::string reason() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return reason_;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(false);
    if (incoming_.has_welcome()) {
      std::lock_guard<std::mutex> lock(mutex_);
      welcomed_ = true;
    }
    events_.received(incoming_);
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    bool was_chunk;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      was_chunk = queue_.front().is_chunk;
      chunks_ -= was_chunk ? 1 : 0;
      queue_.pop_front();
      writing_ = false;
      if (ok && !queue_.empty()) {
        WriteNext();
      } else if (closing_) {
        Release();
      }
    }
    if (!ok) return Close(false);
    if (was_chunk) events_.room();
  }

  void OnDone(const grpc::Status& status) override {
    std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
    reason_ = status.ok() ? "the scheduler closed the stream" : status.error_message();
    changed_.notify_all();
  }

 private:
  struct Outgoing {
    v1::WorkerMessage message;
    bool is_chunk;
  };

  void WriteNext() {
    writing_ = true;
    StartWrite(&queue_.front().message);
  }

  void Release() {
    if (std::exchange(released_, true)) return;
    StartWritesDone();
    RemoveHold();
  }

  const SessionEvents& events_;
  grpc::ClientContext context_;
  v1::SchedulerMessage incoming_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Outgoing> queue_;  // the first one is being written while `writing_`
  size_t chunks_ = 0;
  bool writing_ = false;
  bool closing_ = false;
  bool released_ = false;
  bool welcomed_ = false;
  bool done_ = false;
  std::string reason_;
};

}  // namespace

class Session::Impl {
 public:
  Impl(const SessionOptions& options, SessionEvents events)
      : options_(options), events_(std::move(events)) {}

  ~Impl() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
      if (stream_ != nullptr) stream_->Close(false);
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void Run() {
    thread_ = std::thread([this] {
      while (!ending()) Pause(Try());
    });
  }

  bool Send(uint64_t stream, v1::WorkerMessage message, bool is_chunk) {
    std::lock_guard<std::mutex> lock(mutex_);
    return stream_ != nullptr && stream == streams_ &&
           stream_->Send(std::move(message), is_chunk, options_.chunks_max);
  }

  void HangUp(const std::string& reason) {
    LogWarning(absl::StrCat("hanging up: ", reason));
    std::lock_guard<std::mutex> lock(mutex_);
    hung_up_ = true;
    if (stream_ != nullptr) stream_->Close(false);
  }

  void Finish(int64_t wait_ms) {
    std::unique_lock<std::mutex> lock(mutex_);
    ending_ = true;
    wake_.notify_all();
    if (stream_ == nullptr) return;
    stream_->Close(true);
    wake_.wait_for(lock, milliseconds(wait_ms), [this] { return stream_ == nullptr; });
  }

 private:
  enum class Outcome { kLived, kFailed, kHungUp };

  bool ending() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return ending_;
  }

  // The address was checked by Start.
  std::shared_ptr<grpc::Channel> Connect() {
    rpc::ChannelOptions options;
    options.reconnect_ms_min = options_.retry_ms_min;
    options.reconnect_ms_max = options_.retry_ms_max;
    options.own_connection = true;
    options.identity = options_.identity;
    auto channel = rpc::Dial(options_.address, options);
    if (!channel.ok()) return nullptr;
    while (!ending()) {
      if ((*channel)->WaitForConnected(std::chrono::system_clock::now() + kDialSlice)) {
        return *channel;
      }
      Complain("it can't be reached");
    }
    return nullptr;
  }

  void Complain(const std::string& why) {
    const int64_t now_ms = SystemClock().MonotonicMillis();
    if (complained_ms_ == 0) complained_ms_ = now_ms - kComplainEveryMs + 1000;
    if (now_ms - complained_ms_ < kComplainEveryMs) return;
    complained_ms_ = now_ms;
    LogWarning(absl::StrCat("no session with the scheduler at ", options_.address, ": ", why,
                            "; tasks go on, trying again"));
  }

  // Dials, and serves the stream until it ends.
  Outcome Try() {
    const std::shared_ptr<grpc::Channel> channel = Connect();
    if (channel == nullptr) return Outcome::kFailed;
    const std::unique_ptr<v1::Worker::Stub> stub = v1::Worker::NewStub(channel);
    auto stream = std::make_unique<Stream>(*stub, events_);
    Stream* const call = stream.get();
    uint64_t number;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stream_ = call;
      number = ++streams_;
      hung_up_ = false;
      if (ending_) call->Close(false);
    }
    events_.opened(number);
    if (!call->WaitDone(milliseconds(options_.welcome_ms_max)) && !call->welcomed()) {
      call->Close(false);
    }
    while (!call->WaitDone(milliseconds(1000))) {
    }
    const bool lived = call->welcomed();
    bool hung_up;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stream_ = nullptr;
      hung_up = hung_up_;
    }
    wake_.notify_all();
    if (!ending()) {
      if (lived) LogWarning(absl::StrCat("the session ended: ", call->reason()));
      if (!lived) Complain(call->reason());
      events_.closed(call->reason());
    }
    if (hung_up) return Outcome::kHungUp;
    return lived ? Outcome::kLived : Outcome::kFailed;
  }

  // After a session that lived the first try comes at once.
  void Pause(Outcome outcome) {
    if (outcome == Outcome::kLived) {
      pause_ms_ = 0;
      complained_ms_ = 0;
      return;
    }
    pause_ms_ = outcome == Outcome::kHungUp
                    ? options_.retry_ms_max
                    : std::clamp(pause_ms_ * 2, options_.retry_ms_min, options_.retry_ms_max);
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait_for(lock, milliseconds(jitter_.Between(pause_ms_ / 2, pause_ms_)),
                   [this] { return ending_; });
  }

  const SessionOptions options_;
  const SessionEvents events_;
  std::thread thread_;
  // Of the dialling thread alone.
  int64_t pause_ms_ = 0;
  int64_t complained_ms_ = 0;
  Random jitter_{static_cast<uint64_t>(SystemClock().UnixMillis())};

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable wake_;
  Stream* stream_ = nullptr;  // owned by the dialling thread's stack
  uint64_t streams_ = 0;
  bool ending_ = false;
  bool hung_up_ = false;
};

absl::StatusOr<std::unique_ptr<Session>> Session::Start(const SessionOptions& options,
                                                        SessionEvents events) {
  rpc::ChannelOptions dial;
  dial.identity = options.identity;
  BATON_RETURN_IF_ERROR(rpc::Dial(options.address, dial).status());
  auto impl = std::make_unique<Impl>(options, std::move(events));
  impl->Run();
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

bool Session::Send(uint64_t stream, v1::WorkerMessage message) {
  return impl_->Send(stream, std::move(message), false);
}
bool Session::SendChunk(uint64_t stream, v1::WorkerMessage message) {
  return impl_->Send(stream, std::move(message), true);
}
void Session::HangUp(const std::string& reason) { impl_->HangUp(reason); }
void Session::Finish(int64_t wait_ms) { impl_->Finish(wait_ms); }

}  // namespace baton::worker
