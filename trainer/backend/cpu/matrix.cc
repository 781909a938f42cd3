#include "trainer/backend/cpu/matrix.h"

#include <algorithm>

#include "oneapi/dnnl/dnnl.hpp"
#include "trainer/backend/bfloat16.h"

namespace baton::trainer::cpu {

void Multiply(int64_t m, int64_t n, int64_t k, float alpha, const MatrixView& a,
              const MatrixView& b, float beta, float* c, int64_t stride) {
  const dnnl_status_t status =
      dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.values,
                 a.stride, b.values, b.stride, beta, c, stride);
  if (status != dnnl_success) throw dnnl::error(status, "no matrix product");
}

void Linear::Forward(const float* w, const float* x, float* y) const {
  Multiply(rows, out, in, 1, {x, in}, {w, in, true}, 0, y, out);
}

void Linear::BackwardData(const float* w, const float* dy, float* dx) const {
  Multiply(rows, in, out, 1, {dy, out}, {w, in}, 0, dx, in);
}

void Linear::BackwardWeights(const float* x, const float* dy, float* dw) const {
  Multiply(out, in, rows, 1, {dy, out, true}, {x, in}, 0, dw, in);
}

const float* Factors::Of(size_t place, const float* values, int64_t count) {
  if (!bfloat16_) return values;
  std::vector<float>& rounded = rounded_[place];
  rounded.resize(static_cast<size_t>(count));
  std::transform(values, values + count, rounded.data(), RoundToBfloat16);
  return rounded.data();
}

void Factors::Round(float* values, int64_t count) const {
  if (bfloat16_) std::transform(values, values + count, values, RoundToBfloat16);
}

void AddRow(const float* row, int64_t rows, int64_t width, float* values) {
  for (int64_t r = 0; r < rows; ++r, values += width) {
    for (int64_t c = 0; c < width; ++c) values[c] += row[c];
  }
}

void SumColumns(const float* values, int64_t rows, int64_t width, float* sums) {
  std::fill_n(sums, width, 0.0f);
  for (int64_t r = 0; r < rows; ++r, values += width) {
    for (int64_t c = 0; c < width; ++c) sums[c] += values[c];
  }
}

}  // namespace baton::trainer::cpu
