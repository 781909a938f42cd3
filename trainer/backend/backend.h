// The port between the trainer and the libraries that compute. An implementation chooses its own
// memory layouts and caches; the reference backend (plain loops) is the specification of results.
//
// Bits: an operation's results depend only on its shape, the batch count and the values, on the
// operations before it in the network, and on the backend's identity(); never on the thread, on
// earlier calls or on addresses. Weight gradients are those of the micro-batch alone.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/backend/operation.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

// The activations (or their gradients) between two operations, for up to batch_max samples, in a
// layout that only the backend knows. Belongs to the stream that made it.
class Tensor {
 public:
  virtual ~Tensor() = default;
};

// Of a tensor that is needed for a part of a pass only; places count from 0.
struct PlacedShape {
  SampleShape shape;
  size_t place = 0;
};

enum class Pass { kTrain, kEvaluate };

// Where weights and their gradients lie, as a stream's operations get them: in the host's memory,
// or in the device's own (DeviceVectors), which the reference and the CPU have none of. Gradients
// of sparse tables are always the host's, and so must be the weights of a model that has such.
enum class Memory { kHost, kDevice };

// Weights are plain row-major float32 and need no alignment.
struct ForwardArguments {
  int64_t count;                      // samples, 1 .. batch_max
  Pass pass;                          // kEvaluate: no Backward follows
  const float* weights;               // the operation's parameters; null when it has none
  RandomStream stream;                // for dropout
  absl::Span<const Tensor* const> x;  // one per input
  Tensor* y;
};

// Follows a Forward with Pass::kTrain on the same operation, count, weights, x and y; once, so that
// what the Forward kept may be used up.
struct BackwardArguments {
  int64_t count;
  const float* weights;
  absl::Span<const Tensor* const> x;
  const Tensor* y;
  Tensor* dy;                    // d loss / d y; may be overwritten
  absl::Span<Tensor* const> dx;  // one per input, overwritten; null: not wanted
  float* weights_gradient;       // overwritten; as `weights`; null for a sparse table
  RowGradient* rows = nullptr;   // overwritten; of a sparse table only
  float statistics_scale;        // 1 / samples of the global batch, for running statistics
};

class Operation {
 public:
  virtual ~Operation() = default;
  // Before each Forward, with its arguments, when x is there: what the host has a part in. Forward
  // and Backward only queue work of a device.
  virtual absl::Status Prepare(const ForwardArguments& /*arguments*/) { return absl::OkStatus(); }
  virtual absl::Status Forward(const ForwardArguments& arguments) = 0;
  virtual absl::Status Backward(const BackwardArguments& arguments) = 0;
};

enum class Loss { kSoftmaxCrossEntropy, kBinaryCrossEntropy, kSquaredError, kAbsoluteError };

// What a network's output is held against. One of the two is used, by kind of loss.
struct LossArguments {
  Loss loss = Loss::kSoftmaxCrossEntropy;
  int64_t count = 0;  // samples
  // kSoftmaxCrossEntropy: count x rows, each in [0, classes); the output has `rows` rows of
  // classes.
  const int32_t* labels = nullptr;
  int64_t rows = 1;
  const float* class_weights = nullptr;  // by label; null: all are 1
  // The others: count x outputs.
  const float* targets = nullptr;
  float scale = 1;  // of the gradient
};

// A sample's loss is the mean over its rows (of cross entropy, in natural logarithms, times the
// label's weight) or its outputs: binary cross entropy of the sigmoid of the output, square or
// absolute value of the difference.
struct LossResult {
  double loss_sum = 0;  // of the samples' losses, not scaled
  // Rows whose largest output is the label's (ties go to the lowest class); outputs on the side of
  // 0 on which the target is of 0.5; 0 for the other losses.
  int64_t correct = 0;
};

// What a network's pass over a batch depends on besides the values in its memory.
struct RecordedPass {
  Pass pass = Pass::kEvaluate;
  bool loss = false;  // ends with it
  int64_t count = 0;
  const float* weights = nullptr;
  float* gradient = nullptr;
  float scale = 0;
  auto operator<=>(const RecordedPass&) const = default;
};

// One shard's queue of work, with the buffers it needs. Thread-compatible. The destructor of the
// stream comes after those of its tensors and operations.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual std::unique_ptr<Tensor> CreateTensor(const SampleShape& shape, int64_t batch_max) = 0;
  // A tensor for each shape. Those of one place may share memory: what is written to one of them is
  // the end of what the others held.
  virtual std::vector<std::unique_ptr<Tensor>> CreateTensors(absl::Span<const PlacedShape> shapes,
                                                             int64_t batch_max) {
    std::vector<std::unique_ptr<Tensor>> tensors;
    for (const PlacedShape& placed : shapes) {
      tensors.push_back(CreateTensor(placed.shape, batch_max));
    }
    return tensors;
  }
  virtual absl::StatusOr<std::unique_ptr<Operation>> CreateOperation(
      const OperationShape& operation, int64_t batch_max) = 0;

  // Copies count x sample floats, row-major, into or out of a tensor.
  virtual absl::Status Upload(const float* values, int64_t count, Tensor* tensor) = 0;
  virtual absl::Status Download(const Tensor& tensor, int64_t count, float* values) = 0;

  // into += from, for two tensors of one shape.
  virtual absl::Status Accumulate(const Tensor& from, int64_t count, Tensor* into) = 0;

  // Runs `work`, or does once more what it did when it ran with the same pass. It calls Forward,
  // Backward, Accumulate, Clear and ComputeLoss alone, and without a difference for the same pass
  // but what Upload, Prepare and PrepareLoss brought before.
  virtual absl::Status Run(const RecordedPass& /*pass*/, absl::FunctionRef<absl::Status()> work) {
    return work();
  }

  // Weights' gradients, where they lie, become zero.
  virtual absl::Status Clear(float* gradient, size_t count) = 0;

  // Before each ComputeLoss, with its arguments: brings labels, targets and class weights.
  virtual absl::Status PrepareLoss(const LossArguments& /*arguments*/, const Tensor& /*output*/) {
    return absl::OkStatus();
  }
  // When `doutput` is not null it becomes scale * d (sum of the samples' losses) / d output.
  virtual absl::Status ComputeLoss(const LossArguments& arguments, const Tensor& output,
                                   Tensor* doutput) = 0;
  // What `vectors` queue from now on waits for what this stream has queued so far. From the
  // stream's thread, whatever the vectors' own does. Nothing to do where there is no device's
  // queue.
  virtual absl::Status Precede(DeviceVectors& /*vectors*/) { return absl::OkStatus(); }

  // Of the last ComputeLoss. Waits for all that the stream has to do, so it comes last.
  virtual absl::StatusOr<LossResult> ReadLoss() = 0;
};

// Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;

  // "cpu", "reference".
  virtual std::string name() const = 0;
  // All that the bits of a result depend on besides the arguments: library and version,
  // instruction set, sizes of caches. Ranks of a gang must agree on it.
  virtual std::string identity() const = 0;
  // `parameters`: where its operations find weights and leave gradients.
  virtual absl::StatusOr<std::unique_ptr<Stream>> CreateStream(Memory parameters) = 0;
  // Null: the device has no memory of its own. They must not outlive the backend.
  virtual absl::StatusOr<std::unique_ptr<DeviceVectors>> CreateVectors() { return nullptr; }
  // What its device had of memory of its own for this process; 0: it computes in the host's.
  virtual int64_t card_bytes() const { return 0; }
};

}  // namespace baton::trainer
