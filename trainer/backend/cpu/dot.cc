#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"
#include "trainer/backend/cpu/sums.h"
#include "trainer/numeric/wide.h"

namespace baton::trainer::cpu {

namespace {

constexpr int64_t kAhead = 8;  // rows that are fetched before they are read
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

// y[n] = a[n / products] . b[n], for `count` rows of a.
BATON_WIDE void Products(const float* const* a, int64_t count, const float* const* b,
                         int64_t products, int64_t width, float* y) {
  const float* const* last = b + count * products - 1;
  for (int64_t r = 0; r < count; ++r) {
    const float* row = a[r];
    for (int64_t t = 0; t < products; ++t, ++b) {
      Fetch(b[std::min(kAhead, last - b)], width);
      *y++ = Product(row, *b, width);
    }
  }
}

// sums[c] = sum over t of dy[t] * b[t][c], in their order from zero, for c from `c` on while there
// are kBlock left: they stay in registers. Returns the c behind them.
template <int64_t kBlock>
inline int64_t AddBlocks(const float* const* b, const float* dy, int64_t products, int64_t c,
                         int64_t width, float* __restrict sums) {
  for (; c + kBlock <= width; c += kBlock) {
    float block[kBlock] = {};
    for (int64_t t = 0; t < products; ++t) {
      for (int64_t k = 0; k < kBlock; ++k) block[k] += dy[t] * b[t][c + k];
    }
    std::copy_n(block, kBlock, sums + c);
  }
  return c;
}

// Each row of sums is that of its products.
BATON_WIDE void AddScaled(const float* const* b, const float* dy, int64_t rows, int64_t products,
                          int64_t width, float* sums) {
  for (int64_t r = 0; r < rows; ++r, b += products, dy += products, sums += width) {
    for (int64_t t = 0; t < products; ++t) {
      Fetch(b[std::min(products + t, (rows - r) * products - 1)], width);
    }
    int64_t c = AddBlocks<32>(b, dy, products, 0, width, sums);
    c = AddBlocks<4>(b, dy, products, c, width, sums);
    AddBlocks<1>(b, dy, products, c, width, sums);
  }
}

class Dot : public Operation {
 public:
  Dot(const DotOperation& shape, Context& context)
      : rows_(shape.b.size() == 2 ? shape.b[0] : 1),
        width_(shape.b.back()),
        one_a_(ElementCount(shape.a) == width_),
        cosine_(shape.cosine),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("dot", [&] {
      Read(arguments.x, arguments.count);
      float* y = values_.Write(arguments.y, arguments.count);
      const int64_t count = arguments.count * rows_;
      Products(a_, count / ProductsOfA(), b_, ProductsOfA(), width_, y);
      for (int64_t n = 0; cosine_ && n < count; ++n) {
        y[n] /= Length(a_[RowOfA(n)], width_) * Length(b_[n], width_);
      }
    });
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("dot", [&] {
      Read(arguments.x, arguments.count);
      const float* dy = values_.Read(2, arguments.dy, arguments.count);
      for (int64_t n = 0; cosine_ && n < arguments.count * rows_; ++n) {
        slopes_[static_cast<size_t>(n)] = SlopeOf(n, dy[n]);
      }
      if (arguments.dx[0] != nullptr) {
        AddRowsOfA(dy, arguments.count, values_.Write(arguments.dx[0], arguments.count));
      }
      if (arguments.dx[1] == nullptr) return;
      if (!cosine_) return NameRowsOfB(dy, values_.WriteRows(arguments.dx[1], arguments.count));
      float* db = values_.Write(arguments.dx[1], arguments.count);
      for (int64_t n = 0; n < arguments.count * rows_; ++n, db += width_) {
        const Slope& slope = slopes_[static_cast<size_t>(n)];
        SetGradient(b_[n], a_[RowOfA(n)], slope.factor, slope.shrink_b, width_, db);
      }
    });
  }

 private:
  // Of a cosine: da += factor * b - shrink_a * a, db = factor * a - shrink_b * b.
  struct Slope {
    float factor = 0, shrink_a = 0, shrink_b = 0;
  };

  void Read(absl::Span<const Tensor* const> x, int64_t count) {
    a_ = values_.ReadPlainRows(0, x[0], count);
    b_ = values_.ReadPlainRows(1, x[1], count);
    if (cosine_) slopes_.resize(static_cast<size_t>(count * rows_));
  }

  // A row of a has one product, or all of its sample.
  int64_t ProductsOfA() const { return one_a_ ? rows_ : 1; }
  int64_t RowOfA(int64_t n) const { return n / ProductsOfA(); }

  Slope SlopeOf(int64_t n, float dy) const {
    const float *a = a_[RowOfA(n)], *b = b_[n];
    const float length_a = Length(a, width_), length_b = Length(b, width_);
    Slope slope{dy / (length_a * length_b)};
    const float cosine = Product(a, b, width_) * slope.factor;
    // Too short a vector's length is held, and does not move with it.
    if (length_a > kLengthMin) slope.shrink_a = cosine / (length_a * length_a);
    if (length_b > kLengthMin) slope.shrink_b = cosine / (length_b * length_b);
    return slope;
  }

  void AddRowsOfA(const float* dy, int64_t count, float* da) const {
    const int64_t products = ProductsOfA();
    if (!cosine_) return AddScaled(b_, dy, count * rows_ / products, products, width_, da);
    for (int64_t n = 0; n < count * rows_; n += products, da += width_) {
      std::fill_n(da, width_, 0.0f);
      for (int64_t t = n; t < n + products; ++t) {
        const Slope& slope = slopes_[static_cast<size_t>(t)];
        AddGradient(a_[RowOfA(t)], b_[t], slope.factor, slope.shrink_a, width_, da);
      }
    }
  }

  // Each row of b has one product, whose gradient is a row of a times a factor.
  void NameRowsOfB(const float* dy, Rows& db) const {
    db.factors.assign(dy, dy + db.at.size());
    const float** row = db.at.data();
    for (size_t r = 0; row < db.at.data() + db.at.size(); ++r) {
      row = std::fill_n(row, ProductsOfA(), a_[r]);
    }
  }

  int64_t rows_, width_;
  bool one_a_;  // a has one row
  bool cosine_;
  PlainValues values_;
  const float* const* a_ = nullptr;  // the rows of the call at hand
  const float* const* b_ = nullptr;
  std::vector<Slope> slopes_;  // of a cosine, by row of b
};

}  // namespace

std::unique_ptr<Operation> Make(const DotOperation& shape, Context& context) {
  return std::make_unique<Dot>(shape, context);
}

}  // namespace baton::trainer::cpu
