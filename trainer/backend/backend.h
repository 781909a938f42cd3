// The port between the trainer and the libraries that compute. An implementation chooses its own
// memory layouts and caches; the reference backend (plain loops) is the specification of results.
//
// Bits: an operation's results depend only on its shape, the batch count and the values, on the
// operations before it in the network, and on the backend's identity(); never on the thread, on
// earlier calls or on addresses. Weight gradients are those of the micro-batch alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/backend/operation.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

// The activations (or their gradients) between two operations, for up to batch_max samples, in a
// layout that only the backend knows. Belongs to the stream that made it.
class Tensor {
 public:
  virtual ~Tensor() = default;
};

enum class Pass { kTrain, kEvaluate };

// Pointers to weights and gradients are in memory that the backend can address (host memory for
// reference and cpu); weights are plain row-major float32 and need no alignment.
struct ForwardArguments {
  int64_t count;         // samples, 1 .. batch_max
  Pass pass;             // kEvaluate: no Backward follows
  const float* weights;  // weight, then bias; null when the operation has none
  RandomStream stream;   // for dropout
  const Tensor* x;
  Tensor* y;
};

// Follows a Forward with Pass::kTrain on the same operation, count, weights, x and y.
struct BackwardArguments {
  int64_t count;
  const float* weights;
  const Tensor* x;
  const Tensor* y;
  Tensor* dy;               // d loss / d y; may be overwritten
  Tensor* dx;               // null: not wanted (the first operation of a network)
  float* weights_gradient;  // overwritten; as `weights`
};

class Operation {
 public:
  virtual ~Operation() = default;
  virtual absl::Status Forward(const ForwardArguments& arguments) = 0;
  virtual absl::Status Backward(const BackwardArguments& arguments) = 0;
};

struct LossResult {
  double loss_sum = 0;  // sum of -log softmax(x)[label], not scaled
  int64_t correct = 0;  // samples whose largest logit is the label's; ties go to the lowest class
};

// One shard's queue of work, with the buffers it needs. Thread-compatible. The destructor of the
// stream comes after those of its tensors and operations.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual std::unique_ptr<Tensor> CreateTensor(const SampleShape& shape, int64_t batch_max) = 0;
  virtual absl::StatusOr<std::unique_ptr<Operation>> CreateOperation(
      const OperationShape& operation, int64_t batch_max) = 0;

  // Copies count x sample floats, row-major, into or out of a tensor.
  virtual absl::Status Upload(const float* values, int64_t count, Tensor* tensor) = 0;
  virtual absl::Status Download(const Tensor& tensor, int64_t count, float* values) = 0;

  // Cross entropy of softmax over the logits (count, classes); every label in [0, classes). When
  // `dlogits` is not null it becomes scale * (softmax - one hot label).
  virtual absl::StatusOr<LossResult> SoftmaxCrossEntropy(const Tensor& logits,
                                                         const int32_t* labels, int64_t count,
                                                         float scale, Tensor* dlogits) = 0;
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
  virtual absl::StatusOr<std::unique_ptr<Stream>> CreateStream() = 0;
};

}  // namespace baton::trainer
