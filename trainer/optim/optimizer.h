// The rule that turns a summed gradient into new weights. Every rank applies it to all parameters,
// so it must give the same bits everywhere: only IEEE basic operations and square roots, in a fixed
// order per element (no libm, no fused multiply-add: -ffp-contract=off).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spec/optimizer.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/backend/update_rule.h"
#include "trainer/storage/float_memory.h"

namespace baton::trainer {

// Thread-compatible: one owner at a time.
class Optimizer {
 public:
  // One vector of state, as long as the weights, zero at the start. With the weights and the step
  // number it is all that a checkpoint has to hold: the owner may read and overwrite `values`.
  struct StateVector {
    std::string name;  // "momentum" (only when it is not 0); "adam_m", "adam_v"; "rmsprop_v"
    FloatMemory values;
  };

  // Meanings and defaults as in PyTorch's torch.optim.SGD, Adam, AdamW and RMSprop. With a
  // clip_norm the gradient is first shortened as torch.nn.utils.clip_grad_norm_ does.
  static std::unique_ptr<Optimizer> Create(const spec::Optimizer& options, size_t parameter_count);
  // With state in memory that `allocate` gives, zeros; fails as that does.
  using Allocate = std::function<absl::StatusOr<FloatMemory>(size_t floats)>;
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const spec::Optimizer& options,
                                                           size_t parameter_count,
                                                           const Allocate& allocate);

  // The weights [begin, end) that it changes, and where their gradient begins; at first all of
  // them, with the gradient's first value for the first weight. Rising, without overlaps.
  struct Range {
    size_t begin = 0;
    size_t end = 0;
    size_t gradient_begin = 0;
  };
  // The rows of a table that it changes, and the table's place among the weights.
  struct Rows {
    size_t begin = 0;  // of the first row
    size_t width = 0;
    const RowGradient* gradient = nullptr;
  };
  void Restrict(std::vector<Range> trained) { trained_ = std::move(trained); }
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Step `step` (1-based: the first update of the run is step 1) with learning rate `lr`.
  // `gradient` is the sum over the global batch, already scaled by 1 / batch; it is not changed.
  // Tables' rows only by SGD without momentum and decay, as torch.optim.SGD, and by Adam without
  // decay, as torch.optim.SparseAdam: a row that is not named stays as it is, its state too.
  void Apply(absl::Span<float> weights, absl::Span<const float> gradient,
             absl::Span<const Rows> tables, int64_t step, double lr);
  void Apply(absl::Span<float> weights, absl::Span<const float> gradient, int64_t step, double lr) {
    Apply(weights, gradient, {}, step, lr);
  }

  // The same as numbers for whoever does it elsewhere: the rule of step `step`, where the weights
  // that it changes lie, and by which factor a gradient of Euclidean length `norm` is shortened.
  virtual UpdateRule RuleOf(int64_t step, double lr) const = 0;
  const std::vector<Range>& trained() const { return trained_; }
  float ClipFactor(double norm) const;

  // The Euclidean length of the gradient of what is trained, the same bits everywhere; no finite
  // number when any part of it is none.
  double GradientNorm(absl::Span<const float> gradient, absl::Span<const Rows> tables = {}) const;
  // Whether all of that gradient is finite numbers, in a fraction of the time.
  bool GradientIsFinite(absl::Span<const float> gradient, absl::Span<const Rows> tables = {}) const;

  std::vector<StateVector>& state() { return state_; }
  const std::vector<StateVector>& state() const { return state_; }

 protected:
  Optimizer(const spec::Optimizer& options, size_t parameter_count)
      : parameter_count_(parameter_count),
        clip_norm_(options.clip_norm),
        trained_{{0, parameter_count}} {}

  // The rule for the weights `begin` .. `begin` + `count`; `weights` and `gradient` point at the
  // first of them. The state's vectors are as long as all weights.
  virtual void ApplyTo(size_t begin, size_t count, float* weights, const float* gradient,
                       int64_t step, double lr) = 0;
  // The rule for one table; `weights` are all. `scale` shortens the gradient.
  virtual void ApplyToRows(const Rows& rows, float scale, float* weights, int64_t step, double lr);

  void AddState(std::string name) { state_.push_back({std::move(name), {}}); }

  size_t parameter_count_;
  std::vector<StateVector> state_;

 private:
  double clip_norm_;
  std::vector<Range> trained_;
  std::vector<float> clipped_;  // the shortened gradient
};

}  // namespace baton::trainer
