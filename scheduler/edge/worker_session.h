// One worker's stream, from its hello to its end: what each message means. Knows no gRPC; the
// stream itself is worker_service.cc.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "baton/v1/worker.pb.h"
#include "scheduler/edge/outbox.h"
#include "scheduler/edge/parts.h"

namespace baton::edge {

class WorkerSession : public std::enable_shared_from_this<WorkerSession> {
 public:
  // `certified`: the node that the worker was certified as, the only one it may be; empty: without
  // TLS. `outbox` is where answers go.
  WorkerSession(const Parts& parts, std::string certified, std::shared_ptr<Outbox> outbox);

  // Takes a message; messages come one at a time, the next one after `read_on` was called, which
  // may be before this returns or later, on any thread.
  void OnMessage(v1::WorkerMessage message, const std::function<void()>& read_on);

  // The stream has ended, whatever the reason. Idempotent.
  void OnEnd();

 private:
  using KnownTask = std::tuple<std::string, int32_t, int32_t, uint64_t>;

  void OnHello(const v1::Hello& hello);
  void OnHeartbeat(const v1::Heartbeat& heartbeat);
  void OnTask(const v1::TaskReport& report);
  void OnCheckpoint(const v1::CheckpointReport& report);
  void OnNotice(const v1::NoticeReport& report);
  void OnProbes(const v1::ProbeReport& report);
  void OnRendezvous(const v1::RendezvousRequest& request);
  void OnGoodbye(const v1::Goodbye& goodbye);

  // Both call `read_on` in the end.
  void OnChunk(v1::StreamChunk chunk, const std::function<void()>& read_on);
  void Store(v1::StreamChunk chunk, const std::function<void()>& read_on);

  void Post(state::Event event, View view);
  void AckReport(const v1::TaskId& task, v1::TaskReport::Stage stage);
  void RefuseCheckpoint(const v1::CheckpointReport& report, const absl::Status& why);
  absl::Status CheckHello(const v1::Hello& hello) const;

  const Parts& parts_;
  const std::string certified_;
  const std::shared_ptr<Outbox> outbox_;
  std::atomic<bool> ended_{false};
  // Set by the hello, before any other message is taken.
  state::NodeId node_;
  std::string incarnation_;
  std::mutex mutex_;
  std::map<KnownTask, bool> known_tasks_;  // guarded by mutex_: whether the core knows the task
};

}  // namespace baton::edge
