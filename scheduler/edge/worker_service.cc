#include "scheduler/edge/worker_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <mutex>
#include <optional>
#include <utility>

#include "baton/v1/worker.grpc.pb.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "scheduler/access/entrance.h"
#include "scheduler/edge/task_extras.h"
#include "scheduler/edge/worker_session.h"

namespace baton::edge {
namespace {

// The stream as others hold it: the reactor itself may be gone when they speak. Calls into gRPC are
// made under the lock, which gRPC never calls back into on the same stack.
class StreamReactor;
struct Gate {
  std::mutex mutex;
  StreamReactor* reactor = nullptr;  // guarded by mutex; null: the stream has ended
};

class StreamReactor : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::SchedulerMessage> {
 public:
  StreamReactor(const Parts& parts, std::string certified, std::atomic<uint64_t>& sequence)
      : gate_(std::make_shared<Gate>()) {
    gate_->reactor = this;
    const auto pump = [gate = gate_] {
      std::lock_guard<std::mutex> lock(gate->mutex);
      if (gate->reactor != nullptr) gate->reactor->Pump();
    };
    outbox_ = std::make_shared<Outbox>(parts.facts.term, sequence, Outbox::Limits{}, pump,
                                       [&parts](v1::WantedTask* task) { AddExtras(parts, task); });
    session_ = std::make_shared<WorkerSession>(parts, std::move(certified), outbox_);
    ReadOn(gate_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      session_->OnEnd();
      // The worker has closed its side, or the line is gone.
      outbox_->Cut("the stream was closed");
      return;
    }
    session_->OnMessage(std::move(incoming_), [gate = gate_] { ReadOn(gate); });
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> lock(gate_->mutex);
    writing_ = false;
    if (ok) {
      Pump();
    } else {
      FinishOnce(grpc::Status::CANCELLED);
    }
  }

  void OnCancel() override {
    session_->OnEnd();
    std::lock_guard<std::mutex> lock(gate_->mutex);
    if (!writing_) FinishOnce(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    session_->OnEnd();
    {
      std::lock_guard<std::mutex> lock(gate_->mutex);
      gate_->reactor = nullptr;
    }
    delete this;
  }

 private:
  static void ReadOn(const std::shared_ptr<Gate>& gate) {
    std::lock_guard<std::mutex> lock(gate->mutex);
    StreamReactor* reactor = gate->reactor;
    if (reactor == nullptr || reactor->finished_) return;
    reactor->incoming_.Clear();
    reactor->StartRead(&reactor->incoming_);
  }

  // Caller holds the gate's mutex.
  void Pump() {
    if (writing_ || finished_) return;
    if (auto message = outbox_->Take()) {
      outgoing_ = *std::move(message);
      writing_ = true;
      StartWrite(&outgoing_);
    } else if (const auto end = outbox_->end()) {
      FinishOnce(rpc::ToGrpc(*end));
    }
  }

  // Caller holds the gate's mutex.
  void FinishOnce(const grpc::Status& status) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  const std::shared_ptr<Gate> gate_;
  std::shared_ptr<Outbox> outbox_;
  std::shared_ptr<WorkerSession> session_;
  v1::WorkerMessage incoming_;
  v1::SchedulerMessage outgoing_;
  bool writing_ = false;   // guarded by the gate's mutex
  bool finished_ = false;  // guarded by the gate's mutex
};

}  // namespace

class WorkerService::Impl : public v1::Worker::CallbackService {
 public:
  explicit Impl(const Parts& parts) : parts_(parts) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::SchedulerMessage>* Session(
      grpc::CallbackServerContext* context) override {
    const std::string caller = rpc::CallerName(*context->auth_context());
    return new StreamReactor(parts_, access::Caller::OfWord(caller).name, sequence_);
  }

 private:
  const Parts& parts_;
  std::atomic<uint64_t> sequence_{0};
};

WorkerService::WorkerService(const Parts& parts) : impl_(std::make_unique<Impl>(parts)) {}

WorkerService::~WorkerService() = default;

grpc::Service* WorkerService::service() { return impl_.get(); }

}  // namespace baton::edge
