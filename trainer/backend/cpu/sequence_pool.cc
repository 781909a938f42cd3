#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"

namespace baton::trainer::cpu {

namespace {

// y[c] = largest of x[t,c], which[c] = the first t at which it lies.
void Largest(const float* x, int64_t positions, int64_t width, float* y, int32_t* which) {
  std::copy_n(x, width, y);
  std::fill_n(which, width, 0);
  for (int64_t t = 1; t < positions; ++t) {
    x += width;
    const auto here = static_cast<int32_t>(t);
    for (int64_t c = 0; c < width; ++c) {
      which[c] = x[c] > y[c] ? here : which[c];
      y[c] = x[c] > y[c] ? x[c] : y[c];
    }
  }
}

void Scale(float factor, int64_t count, const float* x, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * factor;
}

class SequencePool : public Operation {
 public:
  SequencePool(const SequencePoolOperation& shape, Context& context)
      : positions_(shape.in[0]), width_(shape.in[1]), largest_(shape.largest), values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("pooling of positions", [&] {
      const float* x = values_.Read(0, arguments.x[0], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      which_.resize(largest_ ? arguments.count * width_ : 0);
      for (int64_t n = 0; n < arguments.count; ++n) {
        if (largest_) {
          Largest(x, positions_, width_, y, which_.data() + n * width_);
        } else {
          SumColumns(x, positions_, width_, y);
          Scale(Share(), width_, y, y);
        }
        x += positions_ * width_;
        y += width_;
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    if (arguments.dx[0] == nullptr) return absl::OkStatus();
    return Guarded("pooling of positions", [&] {
      const float* dy = values_.Read(1, arguments.dy, arguments.count);
      float* dx = values_.Write(arguments.dx[0], arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n) {
        if (largest_) {
          std::fill_n(dx, positions_ * width_, 0.0f);
          const int32_t* which = which_.data() + n * width_;
          for (int64_t c = 0; c < width_; ++c) dx[which[c] * width_ + c] = dy[c];
        } else {
          for (int64_t t = 0; t < positions_; ++t) Scale(Share(), width_, dy, dx + t * width_);
        }
        dx += positions_ * width_;
        dy += width_;
      }
    });
  }

 private:
  float Share() const { return 1.0f / static_cast<float>(positions_); }

  int64_t positions_, width_;
  bool largest_;
  std::vector<int32_t> which_;  // of the last Forward
  PlainValues values_;
};

}  // namespace

std::unique_ptr<Operation> Make(const SequencePoolOperation& shape, Context& context) {
  return std::make_unique<SequencePool>(shape, context);
}

}  // namespace baton::trainer::cpu
