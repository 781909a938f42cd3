// A model as one logical shard computes it: forward, loss, backward, over one micro-batch. It
// knows nothing of ranks, other shards or the optimizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spec/model.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/data/batch.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {

// One tensor of weights inside the flat vector of all. Graph order, weight before bias, without
// gaps: offset is the sum of the counts before.
struct Parameter {
  std::string name;            // "<layer name>.weight", "<layer name>.bias"
  std::vector<int64_t> shape;  // as PyTorch's: (out, in, height, width); (out, in); (out)
  size_t offset;               // in floats
  size_t count;                // floats
  enum class Kind {
    kTrained,
    kFrozen,      // stays as it is
    kStatistics,  // running statistics: takes in `momentum` of the step's own, which come as its
                  // "gradient"
  };
  Kind kind = Kind::kTrained;
  float momentum = 0;
  // A table (rows, width) whose gradient comes as rows. It has no place in the dense gradient,
  // where all others lie in their order, without gaps.
  bool sparse = false;
  size_t gradient_offset = 0;  // in the dense gradient, in floats; of no meaning for a sparse one
};

// Where a network puts d loss / d weights.
struct Gradient {
  // NOLINTNEXTLINE(google-explicit-constructor): most models have no sparse table.
  Gradient(float* all, absl::Span<RowGradient> tables = {}) : dense(all), rows(tables) {}
  float* dense;                  // gradient_count() floats
  absl::Span<RowGradient> rows;  // one per sparse parameter, in order
  // Hears during Train, on its thread, that dense floats [from, end) are final; `from` falls from
  // call to call. All are when Train has returned, also those that it was not told of.
  std::optional<absl::FunctionRef<void(size_t from)>> ready;
  // On a device: floats are final to what these queue from then on.
  DeviceVectors* vectors = nullptr;
};

// A batch that has a name, which no other batch ever had.
struct NamedBatch {
  const Batch* batch = nullptr;  // null: there is none
  int64_t name = 0;              // 0: it has none
};

// How training on a device goes on while the host fills the next batch.
struct Ahead {
  int64_t name = 0;  // of this call's batch
  // Called on Train's thread while the device computes. The batch's values are on their way when
  // Train returns, and brought no more if the next call's batch has that name.
  std::optional<absl::FunctionRef<NamedBatch()>> next;
};

// Over the samples of one micro-batch.
struct BatchResult {
  double loss_sum = 0;  // sum of the samples' losses, not scaled (backend/backend.h)
  int64_t correct = 0;  // decisions that were right
};

// The parameters of a model, without building a network. INVALID_ARGUMENT when a layer does not
// fit its input.
absl::StatusOr<std::vector<Parameter>> ModelParameters(const spec::Model& model);

// Fills `weights` (as long as the parameters) as spec::Model::initialization says. A pure function
// of (model, seed), the same bits on every platform.
absl::Status InitializeParameters(const spec::Model& model, uint64_t seed, float* weights);

// Holds its own buffers and backend stream; one per shard thread. Thread-compatible: one call at a
// time, from any thread. The bits of a result depend only on the arguments, the model, the backend
// and its identity(), never on the thread, the calls before, or where the buffers lie.
class Network {
 public:
  // Micro-batches have at most batch_max samples. The backend must outlive the network. `numbers`:
  // which part of Train's stream each layer draws from; none: the one of its own place. `memory`:
  // where all weights and gradients lie that it gets; on a device as layer/placement.h says.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const spec::Model& model, Backend& backend,
                                                         int64_t batch_max,
                                                         Memory memory = Memory::kHost,
                                                         std::vector<size_t> numbers = {});
  virtual ~Network() = default;

  // Decisions of one sample that can be right or wrong; 0 for a regression.
  virtual int64_t decisions() const = 0;
  virtual const std::vector<Parameter>& parameters() const = 0;
  virtual size_t parameter_count() const = 0;  // floats in all
  virtual size_t gradient_count() const = 0;   // floats of the dense gradient

  // One forward and backward pass. `gradient` is overwritten with loss_scale * (sum over the
  // batch's samples of d loss / d weights); loss_scale is 1 / (samples of the global batch). An
  // empty batch gives a zero gradient. `stream` feeds dropout. INVALID_ARGUMENT when the batch is
  // larger than batch_max, has the wrong sample size, or a label or an id is out of range.
  virtual absl::StatusOr<BatchResult> Train(const float* weights, const Batch& batch,
                                            float loss_scale, RandomStream stream,
                                            Gradient gradient, Ahead ahead = {}) = 0;

  // After Train: in which layer a value first was no finite number, in words; empty: nowhere. To be
  // asked once a training has gone wrong, for it looks at everything. Weights and gradient are the
  // host's, wherever Train had them.
  virtual absl::StatusOr<std::string> WhereNotFinite(const float* weights, const Batch& batch,
                                                     Gradient gradient) = 0;

  // Forward only, without dropout.
  virtual absl::StatusOr<BatchResult> Evaluate(const float* weights, const Batch& batch) = 0;

  // The output of each sample, count x outputs, row-major. Labels and targets are not looked at.
  virtual absl::Status Predict(const float* weights, const Batch& batch,
                               std::vector<float>* outputs) = 0;
};

}  // namespace baton::trainer
