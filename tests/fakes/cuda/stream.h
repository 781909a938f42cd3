// What waits to be done on a simulated card. Nothing runs when it is asked for: work lies in the
// stream's queue until the host waits for it, so that whoever forgets to wait reads what was there.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace baton::fake_cuda {

class Queue;
struct Capture;

// All that `queue` was given up to its `count`th piece of work.
struct Point {
  std::shared_ptr<Queue> queue;
  uint64_t count = 0;
};

struct Work {
  std::function<void()> run;   // may be empty
  Point after;                 // of another queue; done first
  std::function<bool()> poll;  // in the place of `run`: called until it says that it is done
};

// How much of each stream of a capture is known to have come before.
using Past = std::map<Queue*, uint64_t>;

// The work of one stream, in its order.
class Queue {
 public:
  Queue(int card, bool blocks) : device(card), blocking(blocks) {}
  const int device;
  const bool blocking;  // waits for the default stream, and it for this one
  // Below: guarded by the one mutex in stream.cc.
  std::deque<Work> waiting;
  uint64_t given = 0, done = 0;
  bool running = false;
  std::shared_ptr<Capture> capture;  // null: not being captured
  Past past;                         // while captured
};

// The queue behind a stream's handle; ends the program when there is no such stream.
std::shared_ptr<Queue> QueueOf(cudaStream_t stream);
std::vector<std::shared_ptr<Queue>> QueuesOf(int device);

// Adds work, to the stream's queue or to the graph that it is captured into.
cudaError_t Give(const std::shared_ptr<Queue>& queue, std::function<void()> run);
// Adds work that others have a share in: it may be long in coming.
cudaError_t GivePolled(const std::shared_ptr<Queue>& queue, std::function<bool()> poll);
// Runs all of it.
void Finish(const Point& point);
// As much of it as can be done now.
void Advance(const Point& point);
void FinishAll(const std::shared_ptr<Queue>& queue);
void FinishDevice(int device);
bool IsDone(const Point& point);
Point End(const std::shared_ptr<Queue>& queue);

// Notes it for cudaGetLastError.
cudaError_t Answer(cudaError_t result);
// cudaSuccess, unless a capture forbids the call, which then also spoils it.
cudaError_t UnlessCaptured(const std::shared_ptr<Queue>& queue);
cudaError_t UnlessAnyCapture();

}  // namespace baton::fake_cuda
