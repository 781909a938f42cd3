// cuBLAS: products of matrices that lie by columns, as its manual has them.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <vector>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/stream.h"

struct cublasContext {
  int device = 0;
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
};

namespace baton::fake_cuda {
namespace {

struct Matrix {
  const void* values;
  cudaDataType type;
  int lead;
  long long stride;  // from one of a batch to the next
};

struct Product {
  cublasOperation_t a_way, b_way;
  int m, n, k;
  float alpha, beta;
  Matrix a, b, c;
  int count;
  bool rounds;  // operands to TF32
};

size_t SizeOf(cudaDataType type) { return type == CUDA_R_16BF ? 2 : 4; }

float Load(const Matrix& matrix, size_t i) {
  if (matrix.type == CUDA_R_16BF) {
    return __bfloat162float(static_cast<const __nv_bfloat16*>(matrix.values)[i]);
  }
  return static_cast<const float*>(matrix.values)[i];
}

float Tf32(float value) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + 0x1000u) & 0xFFFFE000u);
}

// Columns of op(matrix), rows * columns; column after column.
std::vector<float> Take(const Matrix& matrix, cublasOperation_t way, int rows, int columns,
                        size_t first, bool rounds) {
  std::vector<float> taken(static_cast<size_t>(rows) * static_cast<size_t>(columns));
  const auto lead = static_cast<size_t>(matrix.lead);
  for (size_t j = 0, to = 0; j < static_cast<size_t>(columns); ++j) {
    for (size_t i = 0; i < static_cast<size_t>(rows); ++i, ++to) {
      const float value = Load(matrix, first + (way == CUBLAS_OP_N ? j * lead + i : i * lead + j));
      taken[to] = rounds ? Tf32(value) : value;
    }
  }
  return taken;
}

void RunOne(const Product& p, size_t index) {
  const auto m = static_cast<size_t>(p.m), n = static_cast<size_t>(p.n);
  const auto k = static_cast<size_t>(p.k), lead = static_cast<size_t>(p.c.lead);
  const auto first = [&](const Matrix& matrix) {
    return index * static_cast<size_t>(matrix.stride);
  };
  const std::vector<float> a = Take(p.a, p.a_way, p.m, p.k, first(p.a), p.rounds);
  const std::vector<float> b = Take(p.b, p.b_way, p.k, p.n, first(p.b), p.rounds);
  std::vector<double> sums(m);
  for (size_t j = 0; j < n; ++j) {
    sums.assign(m, 0);
    for (size_t l = 0; l < k; ++l) {
      const double factor = b[j * k + l];
      const float* column = a.data() + l * m;
      for (size_t i = 0; i < m; ++i) sums[i] += static_cast<double>(column[i]) * factor;
    }
    for (size_t i = 0; i < m; ++i) {
      const size_t at = first(p.c) + j * lead + i;
      double value = static_cast<double>(p.alpha) * sums[i];
      if (p.beta != 0) value += static_cast<double>(p.beta) * static_cast<double>(Load(p.c, at));
      void* to = const_cast<void*>(p.c.values);
      if (p.c.type == CUDA_R_16BF) {
        static_cast<__nv_bfloat16*>(to)[at] = __float2bfloat16(static_cast<float>(value));
      } else {
        static_cast<float*>(to)[at] = static_cast<float>(value);
      }
    }
  }
}

// Whether the leading dimension is allowed; the memory of a whole batch must be there.
bool Fits(const Matrix& matrix, int rows, int columns, int count, int device, const char* what) {
  if (matrix.lead < (rows > 1 ? rows : 1)) return false;
  if (rows == 0 || columns == 0 || count == 0) return true;
  const auto floats = static_cast<size_t>(columns - 1) * static_cast<size_t>(matrix.lead) +
                      static_cast<size_t>(rows);
  const size_t bytes = SizeOf(matrix.type);
  const auto before = static_cast<size_t>(count - 1) * static_cast<size_t>(matrix.stride);
  if (reinterpret_cast<uintptr_t>(matrix.values) % bytes != 0) {
    Violation(std::string("cuBLAS: matrix ") + what + " is not aligned");
  }
  RequireCard(matrix.values, (before + floats) * bytes, device,
              std::string("cuBLAS: matrix ") + what);
  return true;
}

cublasStatus_t Multiply(cublasHandle_t handle, Product p, const void* alpha, const void* beta) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (handle->pointers != CUBLAS_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (handle->device != CurrentDevice()) Violation("cuBLAS: a handle of another card");
  if (p.m < 0 || p.n < 0 || p.k < 0 || p.count < 0) return CUBLAS_STATUS_INVALID_VALUE;
  RequireHost(alpha, sizeof(float), "cuBLAS: alpha");
  RequireHost(beta, sizeof(float), "cuBLAS: beta");
  p.alpha = *static_cast<const float*>(alpha);
  p.beta = *static_cast<const float*>(beta);
  const bool a_plain = p.a_way == CUBLAS_OP_N, b_plain = p.b_way == CUBLAS_OP_N;
  const int device = handle->device;
  if (p.count > 1 && p.c.stride < static_cast<long long>(p.c.lead) * (p.n - 1) + p.m) {
    Violation("cuBLAS: the results of a batch overlap");
  }
  if (!Fits(p.a, a_plain ? p.m : p.k, a_plain ? p.k : p.m, p.count, device, "A") ||
      !Fits(p.b, b_plain ? p.k : p.n, b_plain ? p.n : p.k, p.count, device, "B") ||
      !Fits(p.c, p.m, p.n, p.count, device, "C")) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  p.rounds = p.rounds || handle->math == CUBLAS_TF32_TENSOR_OP_MATH;
  const cudaError_t given = Give(QueueOf(handle->stream), [p] {
    for (int i = 0; i < p.count; ++i) RunOne(p, static_cast<size_t>(i));
  });
  return given == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool Known(cudaDataType a, cudaDataType b, cudaDataType c, cublasComputeType_t compute) {
  if (a != b) return false;
  if (compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_PEDANTIC &&
      compute != CUBLAS_COMPUTE_32F_FAST_TF32) {
    return false;
  }
  if (a == CUDA_R_16BF) return c == CUDA_R_16BF || c == CUDA_R_32F;
  return a == CUDA_R_32F && c == CUDA_R_32F;
}

}  // namespace
extern "C" {
cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext{CurrentDevice()};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  RequireCard(workspace, bytes, handle->device, "cuBLAS: the workspace");
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t, cublasAtomicsMode_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
  handle->pointers = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
  *value = type == MAJOR_VERSION   ? CUBLAS_VER_MAJOR
           : type == MINOR_VERSION ? CUBLAS_VER_MINOR
                                   : CUBLAS_VER_PATCH;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    default:
      return "another error of the simulated cuBLAS";
  }
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t a_way,
                              cublasOperation_t b_way, int m, int n, int k, const float* alpha,
                              const float* a, int a_lead, const float* b, int b_lead,
                              const float* beta, float* c, int c_lead) {
  return cublasSgemmStridedBatched(handle, a_way, b_way, m, n, k, alpha, a, a_lead, 0, b, b_lead, 0,
                                   beta, c, c_lead, 0, 1);
}
cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t a_way,
                                         cublasOperation_t b_way, int m, int n, int k,
                                         const float* alpha, const float* a, int a_lead,
                                         long long a_stride, const float* b, int b_lead,
                                         long long b_stride, const float* beta, float* c,
                                         int c_lead, long long c_stride, int count) {
  return cublasGemmStridedBatchedEx(handle, a_way, b_way, m, n, k, alpha, a, CUDA_R_32F, a_lead,
                                    a_stride, b, CUDA_R_32F, b_lead, b_stride, beta, c, CUDA_R_32F,
                                    c_lead, c_stride, count, CUBLAS_COMPUTE_32F,
                                    CUBLAS_GEMM_DEFAULT);
}
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t a_way, cublasOperation_t b_way,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType a_type, int a_lead, const void* b, cudaDataType b_type,
                            int b_lead, const void* beta, void* c, cudaDataType c_type, int c_lead,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  return cublasGemmStridedBatchedEx(handle, a_way, b_way, m, n, k, alpha, a, a_type, a_lead, 0, b,
                                    b_type, b_lead, 0, beta, c, c_type, c_lead, 0, 1, compute,
                                    algorithm);
}
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t a_way,
                                          cublasOperation_t b_way, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType a_type,
                                          int a_lead, long long a_stride, const void* b,
                                          cudaDataType b_type, int b_lead, long long b_stride,
                                          const void* beta, void* c, cudaDataType c_type,
                                          int c_lead, long long c_stride, int count,
                                          cublasComputeType_t compute, cublasGemmAlgo_t) {
  if (!Known(a_type, b_type, c_type, compute)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool rounds = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  return Multiply(handle,
                  {a_way,
                   b_way,
                   m,
                   n,
                   k,
                   0,
                   0,
                   {a, a_type, a_lead, a_stride},
                   {b, b_type, b_lead, b_stride},
                   {c, c_type, c_lead, c_stride},
                   count,
                   rounds},
                  alpha, beta);
}
}  // extern "C"

}  // namespace baton::fake_cuda
