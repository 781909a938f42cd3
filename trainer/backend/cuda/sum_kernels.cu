#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/columns.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

__global__ void SumRowsKernel(const float* x, int64_t rows, int64_t columns, float* sums) {
  SumColumns(
      rows, columns, [&](int64_t row, int64_t column) { return x[row * columns + column]; },
      [&](int64_t column, double sum) { sums[column] = static_cast<float>(sum); });
}

}  // namespace

void SumRows(const float* x, int64_t rows, int64_t columns, float* sums, cudaStream_t stream) {
  const dim3 block(kColumns, kLanes);
  const auto blocks = static_cast<unsigned>((columns + kColumns - 1) / kColumns);
  Launch(SumRowsKernel, blocks, block, stream, x, rows, columns, sums);
}

}  // namespace baton::trainer::cuda::kernels
