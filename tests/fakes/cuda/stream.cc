#include "tests/fakes/cuda/stream.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include "tests/fakes/cuda/capture.h"
#include "tests/fakes/cuda/card.h"

struct CUstream_st {
  std::shared_ptr<baton::fake_cuda::Queue> queue;
};

namespace baton::fake_cuda {
namespace {

struct State {
  std::mutex mutex;
  std::condition_variable moved;
  std::set<CUstream_st*> streams;
  std::set<CUevent_st*> events;
  std::map<int, std::shared_ptr<Queue>> default_queues;
  std::vector<std::shared_ptr<Capture>> captures;
};
State& TheState() {
  static State& state = *new State;
  return state;
}
using Lock = std::unique_lock<std::mutex>;

// Between two looks at work that others have a share in.
constexpr std::chrono::microseconds kNap{20};

thread_local cudaError_t last_error = cudaSuccess;

const std::shared_ptr<Queue>& DefaultQueue(State& state, int device) {
  std::shared_ptr<Queue>& queue = state.default_queues[device];
  if (queue == nullptr) queue = std::make_shared<Queue>(device, true);
  return queue;
}

void Push(Queue& queue, Work work) {
  queue.waiting.push_back(std::move(work));
  ++queue.given;
}

// The default stream and the blocking ones wait for each other.
void WaitForDefault(State& state, const std::shared_ptr<Queue>& queue) {
  const std::shared_ptr<Queue> legacy = DefaultQueue(state, queue->device);
  if (queue == legacy) {
    for (CUstream_st* stream : state.streams) {
      Queue& other = *stream->queue;
      if (!other.blocking || other.device != queue->device || other.done == other.given) continue;
      Push(*queue, {nullptr, {stream->queue, other.given}, {}});
    }
  } else if (queue->blocking && legacy->done < legacy->given) {
    Push(*queue, {nullptr, {legacy, legacy->given}, {}});
  }
}

enum class Patience { kWait, kNone };

// Runs the queue up to the point. Other threads may run it meanwhile, or what it waits for. False:
// something is not done yet and was not waited for.
bool FinishLocked(State& state, Lock& lock, const Point& point, Patience patience) {
  Queue& queue = *point.queue;
  while (queue.done < point.count) {
    if (queue.running) {
      state.moved.wait(lock);
      continue;
    }
    const Work& work = queue.waiting.front();  // which stays where it is until it is done
    const Point after = work.after;
    if (after.queue != nullptr && after.queue->done < after.count) {
      if (!FinishLocked(state, lock, after, patience)) return false;
      continue;
    }
    queue.running = true;
    lock.unlock();
    if (work.run) work.run();
    const bool done = !work.poll || work.poll();
    lock.lock();
    queue.running = false;
    if (done) {
      queue.waiting.pop_front();
      ++queue.done;
    }
    state.moved.notify_all();
    if (done) continue;
    if (patience == Patience::kNone) return false;
    lock.unlock();
    std::this_thread::sleep_for(kNap);
    lock.lock();
  }
  return true;
}

cudaError_t Spoil(Capture& capture) {
  capture.spoiled = true;
  return cudaErrorStreamCaptureUnsupported;
}

void Leave(State& state, const std::shared_ptr<Capture>& capture) {
  for (const std::shared_ptr<Queue>& queue : capture->streams) {
    queue->capture = nullptr;
    queue->past.clear();
  }
  capture->streams.clear();
  std::erase(state.captures, capture);
}

double Now() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void RunTo(const Point& point, Patience patience) {
  if (IsDone(point)) return;
  const Access access;
  {
    State& state = TheState();
    Lock lock(state.mutex);
    FinishLocked(state, lock, point, patience);
  }
  CheckEdges();
}

CUevent_st& EventOf(State& state, cudaEvent_t event) {
  if (state.events.count(event) == 0) Violation("there is no such event");
  return *event;
}

// Where the event was recorded.
cudaError_t PointOf(cudaEvent_t event, Point* point) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const CUevent_st& record = EventOf(state, event);
  if (record.capture != nullptr) return Spoil(*record.capture);
  *point = record.point;
  return cudaSuccess;
}

}  // namespace

std::shared_ptr<Queue> QueueOf(cudaStream_t stream) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (stream == nullptr || stream == cudaStreamLegacy) return DefaultQueue(state, CurrentDevice());
  if (state.streams.count(stream) == 0) Violation("there is no such stream");
  return stream->queue;
}

cudaError_t Give(const std::shared_ptr<Queue>& queue, std::function<void()> run) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (queue->capture == nullptr) {
    WaitForDefault(state, queue);
    Push(*queue, {std::move(run), {}, {}});
    return cudaSuccess;
  }
  if (queue->capture->spoiled) return cudaErrorStreamCaptureInvalidated;
  ++queue->past[queue.get()];
  queue->capture->work.push_back(std::move(run));
  return cudaSuccess;
}

cudaError_t GivePolled(const std::shared_ptr<Queue>& queue, std::function<bool()> poll) {
  State& state = TheState();
  const Lock lock(state.mutex);
  if (queue->capture != nullptr) return Spoil(*queue->capture);
  WaitForDefault(state, queue);
  Push(*queue, {{}, {}, std::move(poll)});
  return cudaSuccess;
}

void Finish(const Point& point) { RunTo(point, Patience::kWait); }
void Advance(const Point& point) { RunTo(point, Patience::kNone); }

Point End(const std::shared_ptr<Queue>& queue) {
  const Lock lock(TheState().mutex);
  return {queue, queue->given};
}
void FinishAll(const std::shared_ptr<Queue>& queue) { Finish(End(queue)); }
void FinishDevice(int device) {
  for (const auto& queue : QueuesOf(device)) FinishAll(queue);
}
bool IsDone(const Point& point) {
  const Lock lock(TheState().mutex);
  return point.queue == nullptr || point.queue->done >= point.count;
}

std::vector<std::shared_ptr<Queue>> QueuesOf(int device) {
  State& state = TheState();
  const Lock lock(state.mutex);
  std::vector<std::shared_ptr<Queue>> queues{DefaultQueue(state, device)};
  for (CUstream_st* stream : state.streams) {
    if (stream->queue->device == device) queues.push_back(stream->queue);
  }
  return queues;
}

cudaError_t Answer(cudaError_t result) {
  if (result != cudaSuccess) last_error = result;
  return result;
}

cudaError_t UnlessCaptured(const std::shared_ptr<Queue>& queue) {
  const Lock lock(TheState().mutex);
  return queue->capture == nullptr ? cudaSuccess : Spoil(*queue->capture);
}

cudaError_t UnlessAnyCapture() {
  State& state = TheState();
  const Lock lock(state.mutex);
  for (const auto& capture : state.captures) {
    const bool own = capture->thread == std::this_thread::get_id();
    if (capture->mode == cudaStreamCaptureModeGlobal ||
        (capture->mode == cudaStreamCaptureModeThreadLocal && own)) {
      return Spoil(*capture);
    }
  }
  return cudaSuccess;
}

extern "C" {
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *stream = new CUstream_st{
      std::make_shared<Queue>(CurrentDevice(), (flags & cudaStreamNonBlocking) == 0)};
  state.streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  FinishAll(queue);
  State& state = TheState();
  const Lock lock(state.mutex);
  state.streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  if (const cudaError_t failure = UnlessCaptured(queue)) return Answer(failure);
  FinishAll(queue);
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  if (const cudaError_t failure = UnlessCaptured(queue)) return Answer(failure);
  const Point end = End(queue);
  if (IsDone(end)) return cudaSuccess;
  Advance(end);  // so that the next question finds it done
  return Answer(cudaErrorNotReady);
}

cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t failure = UnlessAnyCapture()) return Answer(failure);
  FinishDevice(CurrentDevice());
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return Answer(Give(QueueOf(stream), [=] { function(data); }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  State& state = TheState();
  const Lock lock(state.mutex);
  *event = new CUevent_st;
  (*event)->device = CurrentDevice();
  state.events.insert(*event);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  State& state = TheState();
  const Lock lock(state.mutex);
  EventOf(state, event);
  state.events.erase(event);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  auto stamp = std::make_shared<double>(0);
  if (const cudaError_t failure = Give(queue, [stamp] { *stamp = Now(); })) return Answer(failure);
  State& state = TheState();
  const Lock lock(state.mutex);
  CUevent_st& record = EventOf(state, event);
  if (record.device != queue->device) return Answer(cudaErrorInvalidResourceHandle);
  record.recorded = true;
  record.capture = queue->capture;
  record.past = queue->past;
  record.point = queue->capture == nullptr ? Point{queue, queue->given} : Point{};
  record.milliseconds = stamp;
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) {
  return cudaEventRecord(event, stream);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  State& state = TheState();
  const Lock lock(state.mutex);
  const CUevent_st& record = EventOf(state, event);
  if (!record.recorded) return cudaSuccess;
  if (record.capture == nullptr && queue->capture == nullptr) {
    WaitForDefault(state, queue);
    Push(*queue, {nullptr, record.point, {}});
    return cudaSuccess;
  }
  if (record.capture == nullptr ||
      (queue->capture != nullptr && queue->capture != record.capture)) {
    if (queue->capture != nullptr) queue->capture->spoiled = true;
    return Answer(cudaErrorStreamCaptureIsolation);
  }
  if (queue->capture == nullptr) {  // it joins
    queue->capture = record.capture;
    record.capture->streams.push_back(queue);
  }
  for (const auto& [other, count] : record.past) {
    queue->past[other] = std::max(queue->past[other], count);
  }
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  Point point;
  if (const cudaError_t failure = PointOf(event, &point)) return Answer(failure);
  if (IsDone(point)) return cudaSuccess;
  Advance(point);
  return Answer(cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Point point;
  if (const cudaError_t failure = PointOf(event, &point)) return Answer(failure);
  Finish(point);
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  State& state = TheState();
  const Lock lock(state.mutex);
  const CUevent_st &from = EventOf(state, begin), &to = EventOf(state, end);
  if (!from.recorded || !to.recorded) return Answer(cudaErrorInvalidResourceHandle);
  if (from.point.queue->done < from.point.count || to.point.queue->done < to.point.count) {
    return Answer(cudaErrorNotReady);
  }
  *milliseconds = static_cast<float>(*to.milliseconds - *from.milliseconds);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (stream == nullptr) return Answer(cudaErrorStreamCaptureImplicit);
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  State& state = TheState();
  const Lock lock(state.mutex);
  if (queue->capture != nullptr) return Answer(cudaErrorIllegalState);
  auto capture = std::make_shared<Capture>();
  capture->origin = queue.get();
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->streams = {queue};
  queue->capture = capture;
  queue->past.clear();
  state.captures.push_back(std::move(capture));
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  State& state = TheState();
  const Lock lock(state.mutex);
  const std::shared_ptr<Capture> capture = queue->capture;
  *graph = nullptr;
  if (capture == nullptr) return Answer(cudaErrorIllegalState);
  if (capture->origin != queue.get()) return Answer(cudaErrorStreamCaptureUnmatched);
  if (capture->mode != cudaStreamCaptureModeRelaxed &&
      capture->thread != std::this_thread::get_id()) {
    return Answer(cudaErrorStreamCaptureWrongThread);
  }
  bool joined = true;
  for (const auto& other : capture->streams) {
    joined = joined && queue->past[other.get()] >= other->past[other.get()];
  }
  const bool spoiled = capture->spoiled;
  Leave(state, capture);
  if (spoiled) return Answer(cudaErrorStreamCaptureInvalidated);
  if (!joined) return Answer(cudaErrorStreamCaptureUnjoined);
  *graph = new CUgraph_st{std::move(capture->work)};
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  const Lock lock(TheState().mutex);
  *status = queue->capture == nullptr ? cudaStreamCaptureStatusNone
            : queue->capture->spoiled ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec =
      new CUgraphExec_st{std::make_shared<const std::vector<std::function<void()>>>(graph->work)};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long flags) {
  return cudaGraphInstantiate(exec, graph, flags);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return Answer(Give(QueueOf(stream), [work = exec->work] {
    for (const std::function<void()>& run : *work) run();
  }));
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
}  // extern "C"

}  // namespace baton::fake_cuda
