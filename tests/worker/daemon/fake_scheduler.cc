#include "tests/worker/daemon/fake_scheduler.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <deque>

#include "baton/v1/worker.grpc.pb.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/rpc/server.h"
#include "scheduler/edge/blob_service.h"

namespace baton::worker {
namespace {

constexpr std::chrono::seconds kPatience{30};

class Impl;

class Line : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::SchedulerMessage> {
 public:
  explicit Line(Impl& owner) : owner_(owner) { StartRead(&incoming_); }

  void Push(const v1::SchedulerMessage& message) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) return;
    queue_.push_back(message);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  void End() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "dropped by the test"));
  }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.pop_front();
    if (ok && !finished_ && !queue_.empty()) StartWrite(&queue_.front());
  }
  void OnDone() override;

 private:
  Impl& owner_;
  v1::WorkerMessage incoming_;
  std::mutex mutex_;
  std::deque<v1::SchedulerMessage> queue_;
  bool finished_ = false;
};

using StreamKey = std::tuple<std::string, int, bool>;

class Impl : public FakeScheduler, public v1::Worker::CallbackService {
 public:
  Impl(const std::string& address, const std::string& folder) {
    auto store = artifact::LocalDir::Open(folder, {.free_percent_min = 0});
    BATON_CHECK(store.ok(), std::string(store.status().message()));
    store_ = *std::move(store);
    blobs_ = std::make_unique<edge::BlobService>(*store_, SystemClock());
    auto server = rpc::Server::Start(address, {this, blobs_->service()});
    BATON_CHECK(server.ok(), std::string(server.status().message()));
    server_ = *std::move(server);
  }
  ~Impl() override {
    SetAway(true);
    server_->Shutdown(1000);
  }

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::SchedulerMessage>* Session(
      grpc::CallbackServerContext*) override {
    auto* line = new Line(*this);
    std::lock_guard<std::mutex> lock(mutex_);
    if (away_) {
      line->End();
    } else {
      line_ = line;
    }
    return line;
  }

  std::string address() const override { return server_->address(); }
  artifact::Store& artifacts() override { return *store_; }

  void Want(const std::vector<v1::WantedTask>& tasks) override {
    std::lock_guard<std::mutex> lock(mutex_);
    wanted_ = tasks;
    SendWanted();
  }
  void Send(const v1::SchedulerMessage& message) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (line_ != nullptr) line_->Push(message);
  }
  void Drop() override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (line_ != nullptr) line_->End();
  }
  void SetAway(bool away) override {
    std::lock_guard<std::mutex> lock(mutex_);
    away_ = away;
    if (away && line_ != nullptr) line_->End();
  }
  void SetAcks(bool acks) override {
    std::lock_guard<std::mutex> lock(mutex_);
    acks_ = acks;
  }

  bool Await(const std::function<bool(const Messages&)>& condition) override {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(messages_); });
  }

  std::string Stream(const std::string& job, int rank, bool metrics) override {
    std::lock_guard<std::mutex> lock(mutex_);
    return streams_[{job, rank, metrics}];
  }

  void OnMessage(Line* line, const v1::WorkerMessage& message) {
    std::lock_guard<std::mutex> lock(mutex_);
    messages_.push_back(message);
    v1::SchedulerMessage answer;
    if (message.has_hello()) {
      answer.mutable_welcome()->set_term(term_);
      answer.mutable_welcome()->set_heartbeat_ms(200);
      answer.mutable_welcome()->set_lease_ms(10'000);
      line->Push(answer);
      SendWanted();
    } else if (message.has_task()) {
      *answer.mutable_report_ack()->mutable_task() = message.task().task();
      answer.mutable_report_ack()->set_stage(message.task().stage());
      line->Push(answer);
    } else if (message.has_checkpoint()) {
      *answer.mutable_checkpoint_ack()->mutable_task() = message.checkpoint().task();
      answer.mutable_checkpoint_ack()->set_name(message.checkpoint().name());
      answer.mutable_checkpoint_ack()->set_committed(true);
      line->Push(answer);
    } else if (message.has_chunk()) {
      TakeChunk(line, message.chunk());
    }
    changed_.notify_all();
  }

  void OnEnd(Line* line) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (line_ == line) line_ = nullptr;
  }

 private:
  void TakeChunk(Line* line, const v1::StreamChunk& chunk) {
    std::string& stream = streams_[{chunk.task().job_id(), chunk.task().rank(), chunk.metrics()}];
    const size_t offset = static_cast<size_t>(chunk.offset());
    if (!acks_) return;
    if (stream.size() < offset + chunk.data().size()) {
      stream.resize(offset + chunk.data().size(), '?');
    }
    stream.replace(offset, chunk.data().size(), chunk.data());
    v1::SchedulerMessage answer;
    *answer.mutable_stream_ack()->mutable_task() = chunk.task();
    answer.mutable_stream_ack()->set_metrics(chunk.metrics());
    answer.mutable_stream_ack()->set_offset(static_cast<int64_t>(stream.size()));
    line->Push(answer);
  }

  void SendWanted() {
    if (line_ == nullptr) return;
    v1::SchedulerMessage message;
    message.mutable_wanted()->set_term(term_);
    message.mutable_wanted()->set_sequence(++sequence_);
    for (const v1::WantedTask& task : wanted_) *message.mutable_wanted()->add_tasks() = task;
    line_->Push(message);
  }

  std::unique_ptr<artifact::LocalDir> store_;
  std::unique_ptr<edge::BlobService> blobs_;
  std::unique_ptr<rpc::Server> server_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Line* line_ = nullptr;
  bool away_ = false;
  bool acks_ = true;
  uint64_t term_ = 5;
  uint64_t sequence_ = 0;
  std::vector<v1::WantedTask> wanted_;
  Messages messages_;
  std::map<StreamKey, std::string> streams_;
};

void Line::OnReadDone(bool ok) {
  if (!ok) return End();
  owner_.OnMessage(this, incoming_);
  incoming_.Clear();
  StartRead(&incoming_);
}

void Line::OnDone() {
  owner_.OnEnd(this);
  delete this;
}

}  // namespace

std::unique_ptr<FakeScheduler> FakeScheduler::Start(const std::string& address,
                                                    const std::string& folder) {
  return std::make_unique<Impl>(address, folder);
}

}  // namespace baton::worker
