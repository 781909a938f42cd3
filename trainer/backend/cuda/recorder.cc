#include "trainer/backend/cuda/recorder.h"

#include "common/status.h"

namespace baton::trainer::cuda {
namespace {

// Shards' gradients and the sizes of an epoch's last batch make few; each graph has memory of its
// own on the card.
constexpr size_t kRecordingsMax = 64;

}  // namespace

Recorder::~Recorder() { Forget(); }

void Recorder::Forget() {
  for (auto& [pass, recording] : recordings_) {
    if (recording.graph != nullptr) cudaGraphExecDestroy(recording.graph);
  }
  recordings_.clear();
}

absl::Status Recorder::Run(const RecordedPass& pass, absl::FunctionRef<absl::Status()> work) {
  if (!possible_ || context_.parameters() == Memory::kHost) return work();
  const auto known = recordings_.find(pass);
  const bool fresh = known == recordings_.end();
  // A graph holds addresses: of buffers that are no more, if any moved.
  const bool stale = !fresh && known->second.moves != context_.moves();
  if (stale || (fresh && recordings_.size() >= kRecordingsMax)) Forget();
  if (stale || fresh) {
    BATON_RETURN_IF_ERROR(work());
    recordings_[pass].moves = context_.moves();
    return absl::OkStatus();
  }
  Recording& recording = known->second;
  if (recording.graph == nullptr) {
    BATON_RETURN_IF_ERROR(Record(work, recording));
    if (recording.graph == nullptr) return work();
  }
  context_.Begin();
  context_.Check(cudaGraphLaunch(recording.graph, context_.stream()));
  return context_.End("a recorded pass");
}

// Leaves no graph where it can't be made: then passes stay as they were.
absl::Status Recorder::Record(absl::FunctionRef<absl::Status()> work, Recording& recording) {
  context_.Begin();
  context_.Check(cudaStreamBeginCapture(context_.stream(), cudaStreamCaptureModeThreadLocal));
  BATON_RETURN_IF_ERROR(context_.End("recording a pass"));
  const absl::Status worked = work();
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(context_.stream(), &graph);
  const bool whole = worked.ok() && ended == cudaSuccess && context_.moves() == recording.moves;
  if (!whole || cudaGraphInstantiate(&recording.graph, graph, 0) != cudaSuccess) {
    recording.graph = nullptr;
    possible_ = false;
  }
  if (graph != nullptr) cudaGraphDestroy(graph);
  // What was refused while recording is no failure of the pass.
  cudaGetLastError();
  return absl::OkStatus();
}

}  // namespace baton::trainer::cuda
