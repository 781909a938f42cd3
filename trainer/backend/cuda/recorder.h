// Passes as CUDA graphs: a small step takes the host longer to queue than the card to compute, and
// a graph is queued at once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <map>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/cuda/context.h"

namespace baton::trainer::cuda {

// One stream's. A pass is run plainly the first time, so that all its memory is there, recorded the
// second time, and replayed from then on, until a buffer of the stream moves.
class Recorder {
 public:
  explicit Recorder(Context& context) : context_(context) {}
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  absl::Status Run(const RecordedPass& pass, absl::FunctionRef<absl::Status()> work);

 private:
  struct Recording {
    cudaGraphExec_t graph = nullptr;
    uint64_t moves = 0;  // of the context, when it was run or recorded
  };
  absl::Status Record(absl::FunctionRef<absl::Status()> work, Recording& recording);
  void Forget();

  Context& context_;
  bool possible_ = true;  // until a library refuses
  std::map<RecordedPass, Recording> recordings_;
};

}  // namespace baton::trainer::cuda
