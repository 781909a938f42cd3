// The tunnels of a worker: a thread and a stream for each.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "baton/v1/worker.pb.h"
#include "worker/core/task.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace baton::worker {

// Thread-safe.
class Tunnels {
 public:
  // `folder_of` says where a task's files lie.
  Tunnels(std::shared_ptr<grpc::Channel> scheduler,
          std::function<std::string(const TaskKey&)> folder_of);
  // Hangs all of them up.
  ~Tunnels();

  // Dials and serves; returns at once. Beyond so many it answers that there are too many.
  void Open(const v1::TunnelRequest& request);

  // The task has ended, and with it what was started beside it.
  void EndTask(const TaskKey& task);

 private:
  struct Tunnel;
  void Sweep();  // caller holds the mutex

  const std::shared_ptr<grpc::Channel> scheduler_;
  const std::function<std::string(const TaskKey&)> folder_of_;
  std::mutex mutex_;
  std::list<std::unique_ptr<Tunnel>> tunnels_;  // guarded by the mutex
};

}  // namespace baton::worker
