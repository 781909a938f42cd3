// The two streams that follow a job, as sources of messages: pulled one at a time, woken by the
// watch hub. They know no gRPC.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "baton/v1/client.pb.h"
#include "scheduler/edge/client_calls.h"
#include "scheduler/edge/parts.h"
#include "scheduler/edge/stream_reader.h"

namespace baton::edge {

// What a pull ends in: a message, or (none) the end of the stream with this status.
template <typename Message>
using Pulled = std::function<void(std::optional<Message> message, const absl::Status& end)>;

// Finds the job, then wakes for it. Shared ownership: callbacks under way hold it.
class Follower {
 public:
  Follower(const Parts& parts) : parts_(parts) {}
  virtual ~Follower() = default;

  // Nobody pulls any more; what is under way is dropped. Not from within a poke.
  void Stop();

 protected:
  // Registers with the hub, which calls Poke from then on. ResourceExhausted: too many follow.
  absl::Status Watch(const state::JobId& job, WatchHub::Pace pace,
                     const std::shared_ptr<Follower>& self);
  virtual void Poke() = 0;

  const Parts& parts_;
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> watch_{0};

 private:
  std::mutex watch_mutex_;  // held over Add and Remove, never in a poke
};

// WatchJob: the job now and at each change, until it has ended.
class JobFollower : public Follower, public std::enable_shared_from_this<JobFollower> {
 public:
  JobFollower(const Parts& parts, ClientCalls& calls, const v1::WatchJobRequest& request)
      : Follower(parts), calls_(calls), request_(request) {}

  // One pull at a time. `done` is called on some thread.
  void Pull(Pulled<v1::WatchJobResponse> done);

 protected:
  void Poke() override;

 private:
  struct Look {
    absl::Status status;
    v1::WatchJobResponse response;
    bool ended = false;
  };
  void LookNow();
  void Tell(Look look);

  ClientCalls& calls_;
  const v1::WatchJobRequest request_;
  std::mutex mutex_;
  Pulled<v1::WatchJobResponse> waiting_;  // guarded by mutex_
  bool looking_ = false;                  // guarded by mutex_: a read is under way
  bool due_ = true;                       // guarded by mutex_: something may have changed
  bool over_ = false;                     // guarded by mutex_: the end was told
  state::JobId job_;                      // guarded by mutex_: once found
  std::string last_;                      // guarded by mutex_: what was told last
};

// ReadStreams: bytes from the journal, with `follow` until the job has ended and all is there.
class BytesFollower : public Follower, public std::enable_shared_from_this<BytesFollower> {
 public:
  BytesFollower(const Parts& parts, const v1::ReadStreamsRequest& request)
      : Follower(parts), request_(request) {}

  void Pull(Pulled<v1::ReadStreamsResponse> done);

 protected:
  void Poke() override;

 private:
  void Find();
  void ReadOn();
  void ReadNow();
  void AskWhetherOver();
  void Tell(std::optional<v1::ReadStreamsResponse> message, const absl::Status& end);

  const v1::ReadStreamsRequest request_;
  std::mutex mutex_;
  Pulled<v1::ReadStreamsResponse> waiting_;  // guarded by mutex_
  bool reading_ = false;                     // guarded by mutex_: a look is under way
  bool due_ = false;                         // guarded by mutex_: poked meanwhile
  state::JobId job_;                         // set before the reader
  std::unique_ptr<StreamReader> reader_;     // used by one look at a time
};

}  // namespace baton::edge
