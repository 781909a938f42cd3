// cuDNN's convolutions, and what it says of its algorithms.
#include <atomic>
#include <cstring>

#include "common/random.h"
#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/dnn.h"

struct cudnnConvolutionStruct {
  int padding[2] = {0, 0}, stride[2] = {1, 1}, dilation[2] = {1, 1};
  int groups = 1;
  cudnnConvolutionMode_t mode = CUDNN_CONVOLUTION;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  bool set = false;
};

namespace baton::fake_cuda {
namespace {

int OutputExtent(const cudnnConvolutionStruct& conv, int d, int in, int kernel) {
  return (in + 2 * conv.padding[d] - ((kernel - 1) * conv.dilation[d] + 1)) / conv.stride[d] + 1;
}

cudnnStatus_t CheckShapes(const cudnnTensorStruct& x, const cudnnFilterStruct& w,
                          const cudnnConvolutionStruct& conv, const cudnnTensorStruct& y) {
  if (x.extents.size() != 4 || y.extents.size() != 4 || w.extents.size() != 4 || !conv.set) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (x.type != w.type) return CUDNN_STATUS_BAD_PARAM;
  const bool fits = x.extents[0] == y.extents[0] && y.extents[1] == w.extents[0] &&
                    x.extents[1] == w.extents[1] * conv.groups && w.extents[0] % conv.groups == 0 &&
                    y.extents[2] == OutputExtent(conv, 0, x.extents[2], w.extents[2]) &&
                    y.extents[3] == OutputExtent(conv, 1, x.extents[3], w.extents[3]);
  return fits ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

struct Shapes {
  std::vector<int> x, w, y;
  cudnnConvolutionStruct conv;
};

// visit(place in x, place in w, place in y) for each product of one output value.
template <class Visit>
void ForEachTerm(const Shapes& s, int n, int k, int i, int j, size_t at_y, const Visit& visit) {
  const int first = k / (s.w[0] / s.conv.groups) * s.w[1];
  const bool flips = s.conv.mode == CUDNN_CONVOLUTION;
  for (int c = 0; c < s.w[1]; ++c) {
    for (int p = 0; p < s.w[2]; ++p) {
      const int row = i * s.conv.stride[0] - s.conv.padding[0] + p * s.conv.dilation[0];
      if (row < 0 || row >= s.x[2]) continue;
      const int at_p = flips ? s.w[2] - 1 - p : p;
      const int x_row = ((n * s.x[1] + first + c) * s.x[2] + row) * s.x[3];
      const int w_row = ((k * s.w[1] + c) * s.w[2] + at_p) * s.w[3];
      int column = j * s.conv.stride[1] - s.conv.padding[1];
      for (int q = 0; q < s.w[3]; ++q, column += s.conv.dilation[1]) {
        if (column < 0 || column >= s.x[3]) continue;
        visit(static_cast<size_t>(x_row + column),
              static_cast<size_t>(w_row + (flips ? s.w[3] - 1 - q : q)), at_y);
      }
    }
  }
}

// The same for all of them.
template <class Visit>
void ForEachProduct(const Shapes& s, const Visit& visit) {
  size_t at_y = 0;
  for (int n = 0; n < s.y[0]; ++n) {
    for (int k = 0; k < s.y[1]; ++k) {
      for (int i = 0; i < s.y[2]; ++i) {
        for (int j = 0; j < s.y[3]; ++j, ++at_y) ForEachTerm(s, n, k, i, j, at_y, visit);
      }
    }
  }
}

// With TF32, which every math type but FMA permits for float32, operands lose 13 bits.
std::vector<double> Operand(std::vector<double> values, cudnnMathType_t math) {
  if (math == CUDNN_FMA_MATH) return values;
  for (double& value : values) {
    auto single = static_cast<float>(value);
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof(bits));
    bits = (bits + 0x1000u) & 0xFFFFE000u;
    std::memcpy(&single, &bits, sizeof(bits));
    value = static_cast<double>(single);
  }
  return values;
}

// What sums in no fixed order gives other bits each time.
void Shake(std::vector<double>& values) {
  static std::atomic<uint64_t> calls{0};
  Random random(++calls);
  for (double& value : values) value *= 1 + static_cast<double>(random.Between(-9, 9)) * 1e-7;
}

void Spoil(void* workspace, size_t bytes) {
  if (bytes > 0) std::memset(workspace, 0xFF, bytes);
}

struct Traits {
  size_t workspace;
  bool deterministic;
};
// As the manual has them; the sizes are this fake's.
Traits TraitsOf(cudnnConvolutionFwdAlgo_t algorithm) {
  return {algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM ? size_t{0} : size_t{4096}, true};
}
Traits TraitsOf(cudnnConvolutionBwdDataAlgo_t algorithm) {
  if (algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_0) return {0, false};
  return {size_t{12288}, true};
}
Traits TraitsOf(cudnnConvolutionBwdFilterAlgo_t algorithm) {
  if (algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0) return {0, false};
  if (algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3) return {1024, false};
  return {size_t{8192}, true};
}

template <class Perf, class Algorithm>
void Tell(std::initializer_list<Algorithm> algorithms, cudnnMathType_t math, int wanted, int* count,
          Perf* told) {
  *count = 0;
  for (const Algorithm algorithm : algorithms) {
    if (*count == wanted) return;
    const Traits traits = TraitsOf(algorithm);
    Perf& perf = told[(*count)++];
    perf = {};
    perf.algo = algorithm;
    perf.status = CUDNN_STATUS_SUCCESS;
    perf.memory = traits.workspace;
    perf.determinism = traits.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
    perf.mathType = math;
  }
}

Shapes ShapesOf(const cudnnTensorStruct& x, const cudnnFilterStruct& w, const cudnnTensorStruct& y,
                const cudnnConvolutionStruct& conv) {
  return {x.extents, w.extents, y.extents, conv};
}

}  // namespace
extern "C" {
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) {
  *filter = new cudnnFilterStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
  delete filter;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  if (format != CUDNN_TENSOR_NCHW) return CUDNN_STATUS_NOT_SUPPORTED;
  if (k <= 0 || c <= 0 || h <= 0 || w <= 0) return CUDNN_STATUS_BAD_PARAM;
  *filter = {type, {k, c, h, w}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* conv) {
  *conv = new cudnnConvolutionStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t conv) {
  delete conv;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t conv, int pad_h,
                                              int pad_w, int stride_h, int stride_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  if (pad_h < 0 || pad_w < 0 || stride_h <= 0 || stride_w <= 0 || dilation_h <= 0 ||
      dilation_w <= 0) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (compute != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
  *conv = {{pad_h, pad_w},
           {stride_h, stride_w},
           {dilation_h, dilation_w},
           1,
           mode,
           CUDNN_DEFAULT_MATH,
           true};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t conv, int groups) {
  conv->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t conv, cudnnMathType_t math) {
  conv->math = math;
  return CUDNN_STATUS_SUCCESS;
}

// Those that give other bits each time come first, as the fastest do on many cards.
cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y, const int wanted,
    int* count, cudnnConvolutionFwdAlgoPerf_t* told) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*x, *w, *conv, *y)) return failure;
  Tell({CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM},
       conv->math, wanted, count, told);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx, const int wanted,
    int* count, cudnnConvolutionBwdDataAlgoPerf_t* told) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*dx, *w, *conv, *dy)) return failure;
  Tell({CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1}, conv->math, wanted,
       count, told);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw, const int wanted,
    int* count, cudnnConvolutionBwdFilterAlgoPerf_t* told) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*x, *dw, *conv, *dy)) return failure;
  Tell({CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1},
       conv->math, wanted, count, told);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*x, *w, *conv, *y)) return failure;
  *bytes = TraitsOf(algorithm).workspace;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*dx, *w, *conv, *dy)) return failure;
  *bytes = TraitsOf(algorithm).workspace;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*x, *dw, *conv, *dy)) return failure;
  *bytes = TraitsOf(algorithm).workspace;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t x_shape, const void* x,
                                      const cudnnFilterDescriptor_t w_shape, const void* w,
                                      const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      size_t bytes, const void* beta,
                                      const cudnnTensorDescriptor_t y_shape, void* y) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const cudnnStatus_t failure = CheckShapes(*x_shape, *w_shape, *conv, *y_shape))
    return failure;
  const size_t needed = TraitsOf(algorithm).workspace;
  if (const auto failure = CheckWorkspace(*handle, workspace, bytes, needed)) return failure;
  RequireTensor(*handle, *x_shape, x, "x of a convolution");
  RequireFilter(*handle, *w_shape, w, "w of a convolution");
  RequireTensor(*handle, *y_shape, y, "y of a convolution");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_x = *x_shape, of_w = *w_shape, of_y = *y_shape, how = *conv] {
    Spoil(workspace, bytes);
    const std::vector<double> xs = Operand(Values(of_x, x), how.math);
    const std::vector<double> ws = Operand(Values(of_w, w), how.math);
    std::vector<double> ys(static_cast<size_t>(CountOf(of_y)));
    ForEachProduct(ShapesOf(of_x, of_w, of_y, how),
                   [&](size_t i, size_t j, size_t k) { ys[k] += xs[i] * ws[j]; });
    Store(of_y, ys, blend, y);
  });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t w_shape, const void* w,
                                           const cudnnTensorDescriptor_t dy_shape, const void* dy,
                                           const cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           size_t bytes, const void* beta,
                                           const cudnnTensorDescriptor_t dx_shape, void* dx) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckShapes(*dx_shape, *w_shape, *conv, *dy_shape)) return failure;
  const Traits traits = TraitsOf(algorithm);
  if (const auto failure = CheckWorkspace(*handle, workspace, bytes, traits.workspace)) {
    return failure;
  }
  RequireFilter(*handle, *w_shape, w, "w of a convolution");
  RequireTensor(*handle, *dy_shape, dy, "dy of a convolution");
  RequireTensor(*handle, *dx_shape, dx, "dx of a convolution");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_x = *dx_shape, of_w = *w_shape, of_y = *dy_shape, how = *conv] {
    Spoil(workspace, bytes);
    const std::vector<double> dys = Operand(Values(of_y, dy), how.math);
    const std::vector<double> ws = Operand(Values(of_w, w), how.math);
    std::vector<double> dxs(static_cast<size_t>(CountOf(of_x)));
    ForEachProduct(ShapesOf(of_x, of_w, of_y, how),
                   [&](size_t i, size_t j, size_t k) { dxs[i] += dys[k] * ws[j]; });
    if (!traits.deterministic) Shake(dxs);
    Store(of_x, dxs, blend, dx);
  });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             const cudnnTensorDescriptor_t x_shape, const void* x,
                                             const cudnnTensorDescriptor_t dy_shape, const void* dy,
                                             const cudnnConvolutionDescriptor_t conv,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                             void* workspace, size_t bytes, const void* beta,
                                             const cudnnFilterDescriptor_t dw_shape, void* dw) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckShapes(*x_shape, *dw_shape, *conv, *dy_shape)) return failure;
  const Traits traits = TraitsOf(algorithm);
  if (const auto failure = CheckWorkspace(*handle, workspace, bytes, traits.workspace)) {
    return failure;
  }
  RequireTensor(*handle, *x_shape, x, "x of a convolution");
  RequireTensor(*handle, *dy_shape, dy, "dy of a convolution");
  RequireFilter(*handle, *dw_shape, dw, "dw of a convolution");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_x = *x_shape, of_w = *dw_shape, of_y = *dy_shape, how = *conv] {
    Spoil(workspace, bytes);
    const std::vector<double> xs = Operand(Values(of_x, x), how.math);
    const std::vector<double> dys = Operand(Values(of_y, dy), how.math);
    std::vector<double> dws(Values(of_w, dw).size());
    ForEachProduct(ShapesOf(of_x, of_w, of_y, how),
                   [&](size_t i, size_t j, size_t k) { dws[j] += dys[k] * xs[i]; });
    if (!traits.deterministic) Shake(dws);
    Store(of_w, dws, blend, dw);
  });
}

cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t handle, const void* alpha,
                                           const cudnnTensorDescriptor_t dy_shape, const void* dy,
                                           const void* beta, const cudnnTensorDescriptor_t db_shape,
                                           void* db) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  const std::vector<int>& y = dy_shape->extents;
  if (y.size() != 4 || db_shape->extents != std::vector<int>{1, y[1], 1, 1}) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  RequireTensor(*handle, *dy_shape, dy, "dy of a convolution");
  RequireTensor(*handle, *db_shape, db, "db of a convolution");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_y = *dy_shape, of_b = *db_shape] {
    const std::vector<double> dys = Values(of_y, dy);
    const size_t channels = static_cast<size_t>(of_y.extents[1]);
    const size_t area = static_cast<size_t>(of_y.extents[2]) * of_y.extents[3];
    std::vector<double> sums(channels);
    for (size_t i = 0; i < dys.size(); ++i) sums[i / area % channels] += dys[i];
    Store(of_b, sums, blend, db);
  });
}
}  // extern "C"

}  // namespace baton::fake_cuda
