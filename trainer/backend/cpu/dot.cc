#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/cpu/sums.h"

namespace baton::trainer::cpu {

namespace {

constexpr float kLengthMin = 1e-8f;

float Product(const float* a, const float* b, int64_t width) {
  return SumOf(width, [=](int64_t d) { return a[d] * b[d]; });
}

float Length(const float* a, int64_t width) {
  return std::max(std::sqrt(Product(a, a, width)), kLengthMin);
}

// db = factor * a - shrink * b
void SetGradient(const float* b, const float* a, float factor, float shrink, int64_t width,
                 float* db) {
  if (shrink == 0) {
    for (int64_t d = 0; d < width; ++d) db[d] = factor * a[d];
    return;
  }
  for (int64_t d = 0; d < width; ++d) db[d] = factor * a[d] - shrink * b[d];
}

// da += factor * b - shrink * a
void AddGradient(const float* a, const float* b, float factor, float shrink, int64_t width,
                 float* da) {
  if (shrink == 0) {
    for (int64_t d = 0; d < width; ++d) da[d] += factor * b[d];
    return;
  }
  for (int64_t d = 0; d < width; ++d) da[d] += factor * b[d] - shrink * a[d];
}

class Dot : public Operation {
 public:
  Dot(const DotOperation& shape, Context& context)
      : rows_(shape.b.size() == 2 ? shape.b[0] : 1),
        width_(shape.b.back()),
        step_(ElementCount(shape.a) == width_ ? 0 : width_),
        size_of_a_(ElementCount(shape.a)),
        cosine_(shape.cosine),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("dot", [&] {
      const float* a = values_.Read(0, arguments.x[0], arguments.count);
      const float* b = values_.Read(1, arguments.x[1], arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n, a += size_of_a_) {
        for (int64_t t = 0; t < rows_; ++t, b += width_) {
          const float* row = a + t * step_;
          *y = Product(row, b, width_);
          if (cosine_) *y /= Length(row, width_) * Length(b, width_);
          ++y;
        }
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("dot", [&] {
      const float* a = values_.Read(0, arguments.x[0], arguments.count);
      const float* b = values_.Read(1, arguments.x[1], arguments.count);
      const float* dy = values_.Read(2, arguments.dy, arguments.count);
      float* da = Zeros(arguments.dx[0], arguments.count, size_of_a_);
      // Each row of b has one product, and of a one or all.
      float* db =
          arguments.dx[1] == nullptr ? nullptr : values_.Write(arguments.dx[1], arguments.count);
      for (int64_t n = 0; n < arguments.count; ++n) {
        for (int64_t t = 0; t < rows_; ++t) {
          const int64_t at_a = n * size_of_a_ + t * step_;
          const int64_t at_b = (n * rows_ + t) * width_;
          Row(a + at_a, b + at_b, *dy++, da == nullptr ? nullptr : da + at_a,
              db == nullptr ? nullptr : db + at_b);
        }
      }
    });
  }

 private:
  float* Zeros(Tensor* dx, int64_t count, int64_t size) {
    if (dx == nullptr) return nullptr;
    float* values = values_.Write(dx, count);
    std::fill_n(values, count * size, 0.0f);
    return values;
  }

  void Row(const float* a, const float* b, float dy, float* da, float* db) const {
    float factor = dy, shrink_a = 0, shrink_b = 0;
    if (cosine_) {
      const float length_a = Length(a, width_), length_b = Length(b, width_);
      factor = dy / (length_a * length_b);
      const float cosine = Product(a, b, width_) * factor;
      // Too short a vector's length is held, and does not move with it.
      if (length_a > kLengthMin) shrink_a = cosine / (length_a * length_a);
      if (length_b > kLengthMin) shrink_b = cosine / (length_b * length_b);
    }
    if (da != nullptr) AddGradient(a, b, factor, shrink_a, width_, da);
    if (db != nullptr) SetGradient(b, a, factor, shrink_b, width_, db);
  }

  int64_t rows_, width_;
  int64_t step_;  // from row to row of a: 0 where it has one
  int64_t size_of_a_;
  bool cosine_;
  PlainValues values_;
};

}  // namespace

std::unique_ptr<Operation> Make(const DotOperation& shape, Context& context) {
  return std::make_unique<Dot>(shape, context);
}

}  // namespace baton::trainer::cpu
