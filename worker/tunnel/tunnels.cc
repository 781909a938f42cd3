#include "worker/tunnel/tunnels.h"

#include <grpcpp/channel.h>

#include <atomic>
#include <utility>

#include "worker/link/messages.h"
#include "worker/tunnel/command.h"
#include "worker/tunnel/forward.h"
#include "worker/tunnel/line.h"

namespace baton::worker {
namespace {

constexpr size_t kTunnelsMax = 64;

}  // namespace

struct Tunnels::Tunnel {
  Tunnel(const std::shared_ptr<grpc::Channel>& scheduler, TaskKey leads_to)
      : task(std::move(leads_to)), stub(v1::Tunnel::NewStub(scheduler)), line(*stub) {}

  const TaskKey task;
  std::unique_ptr<v1::Tunnel::Stub> stub;
  Line line;
  std::atomic<bool> done{false};
  std::thread thread;
};

Tunnels::Tunnels(std::shared_ptr<grpc::Channel> scheduler,
                 std::function<std::string(const TaskKey&)> folder_of)
    : scheduler_(std::move(scheduler)), folder_of_(std::move(folder_of)) {}

Tunnels::~Tunnels() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& tunnel : tunnels_) tunnel->line.Hang();
  for (const auto& tunnel : tunnels_) tunnel->thread.join();
}

void Tunnels::Sweep() {
  for (auto at = tunnels_.begin(); at != tunnels_.end();) {
    if (!(*at)->done) {
      ++at;
      continue;
    }
    (*at)->thread.join();
    at = tunnels_.erase(at);
  }
}

void Tunnels::EndTask(const TaskKey& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& tunnel : tunnels_) {
    if (tunnel->task == task) tunnel->line.EndTask();
  }
}

void Tunnels::Open(const v1::TunnelRequest& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Sweep();
  const bool full = tunnels_.size() >= kTunnelsMax;
  tunnels_.push_back(std::make_unique<Tunnel>(scheduler_, FromProto(request.task())));
  Tunnel& tunnel = *tunnels_.back();
  const TaskPlaces places{folder_of_(tunnel.task)};
  tunnel.thread = std::thread([&tunnel, places, full, id = request.id(), to = request.to()] {
    tunnel.line.Begin(id);
    if (full) {
      tunnel.line.Fail("too many tunnels lead to this node; close some");
    } else if (to.has_command()) {
      RunCommand(to.command(), places, tunnel.line);
    } else if (to.port() > 0 && to.port() < (1 << 16)) {
      Forward(to.port(), tunnel.line);
    } else {
      tunnel.line.Fail(
          "this worker does not know where the tunnel is to lead; is it of an older "
          "version?");
    }
    tunnel.line.Finish();
    tunnel.done = true;
  });
}

}  // namespace baton::worker
