// Matrix products on rows of plain values: what dense layers, recurrences and attention are made
// of. By oneDNN's sgemm, on the calling thread; a failure throws dnnl::error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace baton::trainer::cpu {

// A row-major matrix inside of a larger one: `stride` floats from row to row.
struct MatrixView {
  const float* values;
  int64_t stride;
  bool transposed = false;
};

// c (m, n), `stride` floats from row to row, becomes alpha * a (m, k) b (k, n) + beta * c. With
// beta 0 what was in c is not looked at. m, n and k are at least 1.
void Multiply(int64_t m, int64_t n, int64_t k, float alpha, const MatrixView& a,
              const MatrixView& b, float beta, float* c, int64_t stride);

// A linear map of `rows` rows of `in` values: y = x w^T with w (out, in).
struct Linear {
  int64_t rows, in, out;

  void Forward(const float* w, const float* x, float* y) const;
  void BackwardData(const float* w, const float* dy, float* dx) const;
  void BackwardWeights(const float* x, const float* dy, float* dw) const;
};

// Values as factors of products: themselves, or rounded to bfloat16. One per operation: it holds
// the rounded copies.
class Factors {
 public:
  explicit Factors(bool bfloat16) : bfloat16_(bfloat16) {}
  // Of one of the operation's few places, valid until the next call for it.
  const float* Of(size_t place, const float* values, int64_t count);
  // Where nobody needs the values as they were.
  void Round(float* values, int64_t count) const;

 private:
  bool bfloat16_;
  std::array<std::vector<float>, 3> rounded_;
};

// Each of `rows` rows += row, with `width` values.
void AddRow(const float* row, int64_t rows, int64_t width, float* values);

// sums[c] = sum of column c over all rows.
void SumColumns(const float* values, int64_t rows, int64_t width, float* sums);

}  // namespace baton::trainer::cpu
