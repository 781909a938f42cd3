#include "trainer/optim/optimizer.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "common/check.h"
#include "common/status.h"
#include "trainer/numeric/wide.h"
#include "trainer/optim/adam.h"
#include "trainer/optim/rmsprop.h"
#include "trainer/optim/sgd.h"

namespace baton::trainer {

namespace {

// As torch.nn.utils.clip_grad_norm_ has it.
constexpr double kNormOffset = 1e-6;

// Eight sums side by side, so that vectors of any width add in one order.
class SquareSum {
 public:
  void Add(const float* values, size_t count) {
    size_t i = 0;
    for (; i + sums_.size() <= count; i += sums_.size()) {
      for (size_t k = 0; k < sums_.size(); ++k) {
        sums_[k] += double{values[i + k]} * double{values[i + k]};
      }
    }
    for (; i < count; ++i) sums_[0] += double{values[i]} * double{values[i]};
  }
  double Total() const {
    double sum = 0;
    for (const double part : sums_) sum += part;
    return sum;
  }

 private:
  std::array<double, 8> sums_ = {};
};

// Infinities and what is no number have all bits of the exponent: one more carries into the sign.
BATON_WIDE bool AllFinite(const float* values, size_t count) {
  uint32_t carried = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto exponent = std::bit_cast<uint32_t>(values[i]) & 0x7f800000u;
    carried |= exponent + 0x00800000u;
  }
  return (carried & 0x80000000u) == 0;
}

std::unique_ptr<Optimizer> Make(const spec::Optimizer& options, size_t parameter_count) {
  switch (options.kind) {
    case spec::Optimizer::Kind::kSgd:
      return std::make_unique<Sgd>(options, parameter_count);
    case spec::Optimizer::Kind::kAdam:
    case spec::Optimizer::Kind::kAdamW:
      return std::make_unique<Adam>(options, parameter_count);
    case spec::Optimizer::Kind::kRmsProp:
      return std::make_unique<RmsProp>(options, parameter_count);
  }
  BATON_CHECK(false, "unknown optimizer");
}

}  // namespace

std::unique_ptr<Optimizer> Optimizer::Create(const spec::Optimizer& options,
                                             size_t parameter_count) {
  return *Create(options, parameter_count,
                 [](size_t floats) { return FloatMemory::InMemory(floats); });
}

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const spec::Optimizer& options,
                                                             size_t parameter_count,
                                                             const Allocate& allocate) {
  std::unique_ptr<Optimizer> optimizer = Make(options, parameter_count);
  for (StateVector& vector : optimizer->state()) {
    BATON_ASSIGN_OR_RETURN(vector.values, allocate(parameter_count));
  }
  return optimizer;
}

double Optimizer::GradientNorm(absl::Span<const float> gradient,
                               absl::Span<const Rows> tables) const {
  SquareSum sum;
  for (const Range& range : trained_) {
    sum.Add(gradient.data() + range.gradient_begin, range.end - range.begin);
  }
  for (const Rows& rows : tables) {
    sum.Add(rows.gradient->values.data(), rows.gradient->values.size());
  }
  return std::sqrt(sum.Total());
}

float Optimizer::ClipFactor(double norm) const {
  if (clip_norm_ <= 0) return 1;
  const double factor = clip_norm_ / (norm + kNormOffset);
  return factor < 1 ? static_cast<float>(factor) : 1;
}

bool Optimizer::GradientIsFinite(absl::Span<const float> gradient,
                                 absl::Span<const Rows> tables) const {
  for (const Range& range : trained_) {
    if (!AllFinite(gradient.data() + range.gradient_begin, range.end - range.begin)) return false;
  }
  for (const Rows& rows : tables) {
    const std::vector<float>& values = rows.gradient->values;
    if (!AllFinite(values.data(), values.size())) return false;
  }
  return true;
}

void Optimizer::ApplyToRows(const Rows&, float, float*, int64_t, double) {
  BATON_CHECK(false, "an optimizer that can't train a sparse table");
}

void Optimizer::Apply(absl::Span<float> weights, absl::Span<const float> gradient,
                      absl::Span<const Rows> tables, int64_t step, double lr) {
  BATON_CHECK(step >= 1, "steps count from 1");
  BATON_CHECK(weights.size() == parameter_count_, "weights of another model");
  for (const Range& range : trained_) {
    BATON_CHECK(range.gradient_begin + (range.end - range.begin) <= gradient.size(),
                "a gradient of another model");
  }
  for (const StateVector& vector : state_) {
    BATON_CHECK(vector.values.size() == parameter_count_, "optimizer state of another model");
  }
  const float* source = gradient.data();
  float scale = 1;
  if (clip_norm_ > 0) {
    scale = ClipFactor(GradientNorm(gradient, tables));
    if (scale < 1) {
      clipped_.resize(gradient.size());
      for (size_t i = 0; i < gradient.size(); ++i) clipped_[i] = gradient[i] * scale;
      source = clipped_.data();
    }
  }
  for (const Range& range : trained_) {
    ApplyTo(range.begin, range.end - range.begin, weights.data() + range.begin,
            source + range.gradient_begin, step, lr);
  }
  for (const Rows& rows : tables) ApplyToRows(rows, scale, weights.data(), step, lr);
}

}  // namespace baton::trainer
