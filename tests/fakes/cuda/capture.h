// Streams that are captured into a graph: pieces of work in the order of the calls, which is one
// that the graph allows.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/fakes/cuda/stream.h"

namespace baton::fake_cuda {

struct Capture {
  Queue* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool spoiled = false;
  std::vector<std::function<void()>> work;
  std::vector<std::shared_ptr<Queue>> streams;
};

}  // namespace baton::fake_cuda

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};

struct CUgraphExec_st {
  std::shared_ptr<const std::vector<std::function<void()>>> work;
};

struct CUevent_st {
  int device = 0;
  bool recorded = false;
  baton::fake_cuda::Point point;
  // Recorded in a capture: what had come before.
  std::shared_ptr<baton::fake_cuda::Capture> capture;
  baton::fake_cuda::Past past;
  std::shared_ptr<double> milliseconds;
};
