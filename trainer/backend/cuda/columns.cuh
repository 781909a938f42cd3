// Sums over the rows of a matrix, column by column: a block has kColumns neighbouring columns, so
// that it reads whole lines of memory, and kLanes threads for each, which take turns at the rows.
#pragma once

#include <cstdint>

namespace baton::trainer::cuda::kernels {

inline constexpr int kColumns = 32, kLanes = 8;

// store(column, sum over the rows of value(row, column)); the block must be (kColumns, kLanes).
template <class Value, class Store>
__device__ void SumColumns(int64_t rows, int64_t columns, const Value& value, const Store& store) {
  __shared__ double sums[kLanes][kColumns];
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kColumns + threadIdx.x;
  double sum = 0;
  for (int64_t row = threadIdx.y; row < rows && column < columns; row += kLanes) {
    sum += static_cast<double>(value(row, column));
  }
  __syncthreads();  // of an earlier sum all have read
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= columns) return;
  for (int lane = 1; lane < kLanes; ++lane) sum += sums[lane][threadIdx.x];
  store(column, sum);
}

}  // namespace baton::trainer::cuda::kernels
