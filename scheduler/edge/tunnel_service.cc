#include "scheduler/edge/tunnel_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/tunnel.grpc.pb.h"
#include "common/ids.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/status.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/owner.h"
#include "scheduler/state/job_state.h"

namespace baton::edge {
namespace {

using Stream = grpc::ServerReaderWriter<v1::TunnelFrame, v1::TunnelFrame>;

constexpr size_t kTunnelsMax = 256;
constexpr std::chrono::seconds kAnswer{15};  // of the core, and of the worker that is to dial

// One end of a tunnel while it is connected. Frames may be written from the other end's thread.
class End {
 public:
  void Connect(Stream* stream, grpc::ServerContext* context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stream_ = stream;
    context_ = context;
    changed_.notify_all();
  }
  // Waits for a write that is under way, for the stream goes when this returns.
  void Disconnect() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stream_ = nullptr;
    context_ = nullptr;
    gone_ = true;
    changed_.notify_all();
  }
  bool WaitConnected() {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kAnswer, [this] { return stream_ != nullptr || gone_; }) &&
           stream_ != nullptr;
  }
  bool Write(const v1::TunnelFrame& frame) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stream_ != nullptr && stream_->Write(frame);
  }
  // The stream's own thread then reads nothing any more.
  void Cancel() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Stream* stream_ = nullptr;  // all guarded by the mutex
  grpc::ServerContext* context_ = nullptr;
  bool gone_ = false;
};

struct Joint {
  End person, worker;
  bool last_words = false;  // of the worker's thread alone
};

struct Target {
  state::NodeId node;
  v1::TaskId task;
};

bool IsLast(const v1::TunnelFrame& frame) {
  return frame.has_exit_code() || !frame.failure().empty();
}

absl::StatusOr<Target> TargetOf(const state::Job& job, int32_t rank) {
  const state::Attempt* attempt = job.history == nullptr || job.history->attempts.empty()
                                      ? nullptr
                                      : &job.history->attempts.back();
  if (job.state != state::JobState::kRunning || attempt == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the job is ", state::Name(job.state),
                     ", and only a RUNNING one can be "
                     "reached; `baton why` says what it waits for"));
  }
  if (rank < 0 || rank >= static_cast<int32_t>(attempt->tasks.size())) {
    return absl::InvalidArgumentError(absl::StrCat("there is no rank ", rank, "; the job runs ",
                                                   attempt->tasks.size(), " from 0 on"));
  }
  Target target{attempt->tasks[static_cast<size_t>(rank)].node, {}};
  target.task.set_job_id(job.id);
  target.task.set_attempt(attempt->number);
  target.task.set_rank(rank);
  target.task.set_token(attempt->token);
  return target;
}

}  // namespace

class TunnelService::Impl : public v1::Tunnel::Service {
 public:
  explicit Impl(const Parts& parts) : parts_(parts) {}

  grpc::Status Open(grpc::ServerContext* context, Stream* stream) override {
    v1::TunnelFrame first;
    if (!stream->Read(&first) || !first.has_open()) {
      return rpc::ToGrpc(absl::InvalidArgumentError("the first frame must be `open`"));
    }
    v1::OpenTunnel mine;
    const absl::StatusOr<Target> target =
        Find(OwnedBy(rpc::CallerName(*context->auth_context()), first.open(), &mine));
    if (!target.ok()) return rpc::ToGrpc(target.status());
    const std::string id = RandomId();
    const auto joint = std::make_shared<Joint>();
    if (!Add(id, joint)) {
      return rpc::ToGrpc(absl::ResourceExhaustedError(
          "too many tunnels are open; close some, or try again in a moment"));
    }
    joint->person.Connect(stream, context);
    const absl::Status carried = Carry(id, *target, first.open().to(), *joint, stream);
    joint->person.Disconnect();
    // The worker ends what it runs.
    joint->worker.Cancel();
    Remove(id);
    return rpc::ToGrpc(carried);
  }

  grpc::Status Serve(grpc::ServerContext* context, Stream* stream) override {
    v1::TunnelFrame frame;
    if (!stream->Read(&frame)) return grpc::Status::OK;
    const std::shared_ptr<Joint> joint = Get(frame.id());
    if (joint == nullptr) {
      return rpc::ToGrpc(absl::NotFoundError("nobody waits for this tunnel any more"));
    }
    joint->worker.Connect(stream, context);
    bool last = false;
    while (!last && stream->Read(&frame)) {
      last = IsLast(frame);
      if (!joint->person.Write(frame)) break;
    }
    if (!last) {
      v1::TunnelFrame cut;
      cut.set_failure("the connection to the task's node broke");
      joint->person.Write(cut);
    }
    joint->worker.Disconnect();
    return grpc::Status::OK;
  }

 private:
  absl::StatusOr<Target> Find(const v1::OpenTunnel& open) {
    auto answer = std::make_shared<std::promise<absl::StatusOr<Target>>>();
    auto found = answer->get_future();
    const absl::Status posted = parts_.driver.Read(
        Driver::Source::kClient,
        [answer, job = open.job(), rank = open.rank(),
         asker = SubmitterFromWire(open.submitter())](const Seen& seen) -> Release {
          const auto at = seen.index.Find(job, asker);
          auto target = at.ok() ? TargetOf(**at, rank) : absl::StatusOr<Target>(at.status());
          return [answer, target = std::move(target)] { answer->set_value(target); };
        });
    BATON_RETURN_IF_ERROR(posted);
    if (found.wait_for(kAnswer) != std::future_status::ready) {
      return absl::UnavailableError("the scheduler is busy; try again");
    }
    return found.get();
  }

  // From the person to the worker, until the person's end.
  absl::Status Carry(const std::string& id, const Target& target, const v1::TunnelEnd& to,
                     Joint& joint, Stream* stream) {
    v1::SchedulerMessage message;
    message.mutable_tunnel()->set_id(id);
    *message.mutable_tunnel()->mutable_task() = target.task;
    *message.mutable_tunnel()->mutable_to() = to;
    parts_.sessions.Send(target.node, std::move(message));
    if (!joint.worker.WaitConnected()) {
      return absl::UnavailableError(
          "the task's node does not answer; its worker may be of an older version, or its line is "
          "broken");
    }
    v1::TunnelFrame frame;
    while (stream->Read(&frame)) {
      // Who has gone said so to the person.
      joint.worker.Write(frame);
    }
    return absl::OkStatus();
  }

  bool Add(const std::string& id, const std::shared_ptr<Joint>& joint) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (joints_.size() >= kTunnelsMax) return false;
    joints_[id] = joint;
    return true;
  }
  std::shared_ptr<Joint> Get(const std::string& id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto at = joints_.find(id);
    return at == joints_.end() ? nullptr : at->second;
  }
  void Remove(const std::string& id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    joints_.erase(id);
  }

  const Parts& parts_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Joint>> joints_;  // guarded by the mutex; by a secret id
};

TunnelService::TunnelService(const Parts& parts) : impl_(std::make_unique<Impl>(parts)) {}
TunnelService::~TunnelService() = default;
grpc::Service* TunnelService::service() { return impl_.get(); }

}  // namespace baton::edge
