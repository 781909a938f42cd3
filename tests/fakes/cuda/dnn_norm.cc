// cuDNN's batch normalisation and pooling.
#include <cmath>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/dnn.h"

struct cudnnPoolingStruct {
  cudnnPoolingMode_t mode = CUDNN_POOLING_MAX;
  int window[2] = {0, 0}, padding[2] = {0, 0}, stride[2] = {0, 0};
};

namespace baton::fake_cuda {
namespace {

// (samples, channels, cells) of a tensor that is normalised by channel.
struct Channels {
  size_t samples, channels, cells;
  explicit Channels(const cudnnTensorStruct& x)
      : samples(static_cast<size_t>(x.extents[0])),
        channels(static_cast<size_t>(x.extents[1])),
        cells(static_cast<size_t>(CountOf(x)) / samples / channels) {}
  size_t of_channel() const { return samples * cells; }
  // Value k of a channel.
  size_t At(size_t channel, size_t k) const {
    return (k / cells * channels + channel) * cells + k % cells;
  }
};

cudnnStatus_t CheckNorm(cudnnBatchNormMode_t mode, const cudnnTensorStruct& x,
                        const cudnnTensorStruct& parameters, double epsilon) {
  if (mode == CUDNN_BATCHNORM_PER_ACTIVATION) return CUDNN_STATUS_NOT_SUPPORTED;
  if (x.extents.size() != 4 || epsilon < CUDNN_BN_MIN_EPSILON) return CUDNN_STATUS_BAD_PARAM;
  if (parameters.type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_BAD_PARAM;
  return parameters.extents == std::vector<int>{1, x.extents[1], 1, 1} ? CUDNN_STATUS_SUCCESS
                                                                       : CUDNN_STATUS_BAD_PARAM;
}

struct Windows {
  std::vector<int> x, y;
  cudnnPoolingStruct pooling;
};

// visit(place in y, place in x, cells that the mean is of) for each pair.
template <class Visit>
void ForEachPair(const Windows& s, const Visit& visit) {
  const cudnnPoolingStruct& pool = s.pooling;
  size_t at = 0;
  for (int plane = 0; plane < s.y[0] * s.y[1]; ++plane) {
    for (int i = 0; i < s.y[2]; ++i) {
      for (int j = 0; j < s.y[3]; ++j, ++at) {
        const int top = i * pool.stride[0] - pool.padding[0];
        const int left = j * pool.stride[1] - pool.padding[1];
        const int row0 = std::max(top, 0), row1 = std::min(top + pool.window[0], s.x[2]);
        const int column0 = std::max(left, 0), column1 = std::min(left + pool.window[1], s.x[3]);
        const int inside = (row1 - row0) * (column1 - column0);
        const int cells = pool.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
                              ? pool.window[0] * pool.window[1]
                              : inside;
        for (int row = row0; row < row1; ++row) {
          for (int column = column0; column < column1; ++column) {
            visit(at, static_cast<size_t>((plane * s.x[2] + row) * s.x[3] + column), cells);
          }
        }
      }
    }
  }
}

cudnnStatus_t CheckPooling(const cudnnPoolingStruct& pool, const cudnnTensorStruct& x,
                           const cudnnTensorStruct& y) {
  if (pool.window[0] == 0 || x.extents.size() != 4 || y.extents.size() != 4) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (pool.mode != CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING &&
      pool.mode != CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING) {
    return CUDNN_STATUS_NOT_SUPPORTED;
  }
  if (x.extents[0] != y.extents[0] || x.extents[1] != y.extents[1]) return CUDNN_STATUS_BAD_PARAM;
  for (size_t d = 0; d < 2; ++d) {
    const int out = (x.extents[2 + d] + 2 * pool.padding[d] - pool.window[d]) / pool.stride[d] + 1;
    if (y.extents[2 + d] != out || pool.padding[d] >= pool.window[d]) return CUDNN_STATUS_BAD_PARAM;
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
extern "C" {
cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha, const void* beta,
    const cudnnTensorDescriptor_t x_shape, const void* x, const cudnnTensorDescriptor_t y_shape,
    void* y, const cudnnTensorDescriptor_t shape, const void* scale, const void* bias, double share,
    void* running_mean, void* running_variance, double epsilon, void* saved_mean,
    void* saved_factor) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckNorm(mode, *x_shape, *shape, epsilon)) return failure;
  if (!Same(*x_shape, *y_shape)) return CUDNN_STATUS_BAD_PARAM;
  if ((running_mean == nullptr) != (running_variance == nullptr) ||
      (saved_mean == nullptr) != (saved_factor == nullptr)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  RequireTensor(*handle, *x_shape, x, "x of a normalisation");
  RequireTensor(*handle, *y_shape, y, "y of a normalisation");
  for (const void* memory : {scale, bias}) RequireTensor(*handle, *shape, memory, "parameters");
  for (const void* memory : {running_mean, running_variance, saved_mean, saved_factor}) {
    if (memory != nullptr) RequireTensor(*handle, *shape, memory, "statistics");
  }
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_x = *x_shape, of_y = *y_shape, of_c = *shape] {
    const std::vector<double> xs = Values(of_x, x), w = Values(of_c, scale), b = Values(of_c, bias);
    const Channels all(of_x);
    std::vector<double> ys(xs.size()), means(all.channels), factors(all.channels),
        unbiased(all.channels);
    const auto count = static_cast<double>(all.of_channel());
    for (size_t c = 0; c < all.channels; ++c) {
      double sum = 0, squares = 0;
      for (size_t k = 0; k < all.of_channel(); ++k) sum += xs[all.At(c, k)];
      means[c] = sum / count;
      for (size_t k = 0; k < all.of_channel(); ++k) {
        const double away = xs[all.At(c, k)] - means[c];
        squares += away * away;
      }
      factors[c] = 1 / std::sqrt(squares / count + epsilon);
      unbiased[c] = squares / (count - 1);
      for (size_t k = 0; k < all.of_channel(); ++k) {
        const size_t i = all.At(c, k);
        ys[i] = (xs[i] - means[c]) * factors[c] * w[c] + b[c];
      }
    }
    Store(of_y, ys, blend, y);
    // Unlike `blend`, this multiplies what is there even by zero.
    const auto run = [&](const std::vector<double>& fresh, void* running) {
      if (running == nullptr) return;
      std::vector<double> values = Values(of_c, running);
      for (size_t c = 0; c < values.size(); ++c) {
        values[c] = fresh[c] * share + values[c] * (1 - share);
      }
      Store(of_c, values, {1, 0}, running);
    };
    run(means, running_mean);
    run(unbiased, running_variance);
    if (saved_mean == nullptr) return;
    Store(of_c, means, {1, 0}, saved_mean);
    Store(of_c, factors, {1, 0}, saved_factor);
  });
}

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha, const void* beta,
    const void* alpha_parameters, const void* beta_parameters,
    const cudnnTensorDescriptor_t x_shape, const void* x, const cudnnTensorDescriptor_t dy_shape,
    const void* dy, const cudnnTensorDescriptor_t dx_shape, void* dx,
    const cudnnTensorDescriptor_t shape, const void* scale, void* dscale, void* dbias,
    double epsilon, const void* saved_mean, const void* saved_factor) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckNorm(mode, *x_shape, *shape, epsilon)) return failure;
  if (!Same(*x_shape, *dy_shape) || !Same(*x_shape, *dx_shape)) return CUDNN_STATUS_BAD_PARAM;
  if (saved_mean == nullptr || saved_factor == nullptr) return CUDNN_STATUS_NOT_SUPPORTED;
  RequireTensor(*handle, *x_shape, x, "x of a normalisation");
  RequireTensor(*handle, *dy_shape, dy, "dy of a normalisation");
  RequireTensor(*handle, *dx_shape, dx, "dx of a normalisation");
  for (const void* memory : {scale, static_cast<const void*>(dscale),
                             static_cast<const void*>(dbias), saved_mean, saved_factor}) {
    RequireTensor(*handle, *shape, memory, "parameters or statistics");
  }
  const Blend blend = BlendOf(alpha, beta), own = BlendOf(alpha_parameters, beta_parameters);
  return GiveWork(
      handle, [=, of_x = *x_shape, of_dy = *dy_shape, of_dx = *dx_shape, of_c = *shape] {
        const std::vector<double> xs = Values(of_x, x), dys = Values(of_dy, dy);
        const std::vector<double> w = Values(of_c, scale);
        const std::vector<double> means = Values(of_c, saved_mean);
        const std::vector<double> factors = Values(of_c, saved_factor);
        const Channels all(of_x);
        const auto count = static_cast<double>(all.of_channel());
        std::vector<double> dxs(xs.size()), dw(all.channels), db(all.channels);
        for (size_t c = 0; c < all.channels; ++c) {
          const auto normal = [&](size_t i) { return (xs[i] - means[c]) * factors[c]; };
          for (size_t k = 0; k < all.of_channel(); ++k) {
            const size_t i = all.At(c, k);
            dw[c] += dys[i] * normal(i);
            db[c] += dys[i];
          }
          for (size_t k = 0; k < all.of_channel(); ++k) {
            const size_t i = all.At(c, k);
            dxs[i] = w[c] * factors[c] * (dys[i] - db[c] / count - normal(i) * dw[c] / count);
          }
        }
        Store(of_dx, dxs, blend, dx);
        Store(of_c, dw, own, dscale);
        Store(of_c, db, own, dbias);
      });
}

cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t* pooling) {
  *pooling = new cudnnPoolingStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t pooling) {
  delete pooling;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t pooling, cudnnPoolingMode_t mode,
                                          cudnnNanPropagation_t, int window_h, int window_w,
                                          int padding_h, int padding_w, int stride_h,
                                          int stride_w) {
  if (window_h <= 0 || window_w <= 0 || stride_h <= 0 || stride_w <= 0 || padding_h < 0 ||
      padding_w < 0) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  *pooling = {mode, {window_h, window_w}, {padding_h, padding_w}, {stride_h, stride_w}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pooling,
                                  const void* alpha, const cudnnTensorDescriptor_t x_shape,
                                  const void* x, const void* beta,
                                  const cudnnTensorDescriptor_t y_shape, void* y) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckPooling(*pooling, *x_shape, *y_shape)) return failure;
  RequireTensor(*handle, *x_shape, x, "x of a pooling");
  RequireTensor(*handle, *y_shape, y, "y of a pooling");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_x = *x_shape, of_y = *y_shape, how = *pooling] {
    const std::vector<double> xs = Values(of_x, x);
    std::vector<double> ys(static_cast<size_t>(CountOf(of_y)));
    ForEachPair({of_x.extents, of_y.extents, how},
                [&](size_t to, size_t from, int cells) { ys[to] += xs[from] / cells; });
    Store(of_y, ys, blend, y);
  });
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pooling,
                                   const void* alpha, const cudnnTensorDescriptor_t y_shape,
                                   const void* y, const cudnnTensorDescriptor_t dy_shape,
                                   const void* dy, const cudnnTensorDescriptor_t x_shape,
                                   const void* x, const void* beta,
                                   const cudnnTensorDescriptor_t dx_shape, void* dx) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (const auto failure = CheckPooling(*pooling, *x_shape, *y_shape)) return failure;
  if (!Same(*y_shape, *dy_shape) || !Same(*x_shape, *dx_shape)) return CUDNN_STATUS_BAD_PARAM;
  RequireTensor(*handle, *y_shape, y, "y of a pooling");
  RequireTensor(*handle, *dy_shape, dy, "dy of a pooling");
  RequireTensor(*handle, *x_shape, x, "x of a pooling");
  RequireTensor(*handle, *dx_shape, dx, "dx of a pooling");
  const Blend blend = BlendOf(alpha, beta);
  return GiveWork(handle, [=, of_dy = *dy_shape, of_dx = *dx_shape, how = *pooling] {
    const std::vector<double> dys = Values(of_dy, dy);
    std::vector<double> dxs(static_cast<size_t>(CountOf(of_dx)));
    ForEachPair({of_dx.extents, of_dy.extents, how},
                [&](size_t to, size_t from, int cells) { dxs[from] += dys[to] / cells; });
    Store(of_dx, dxs, blend, dx);
  });
}
}  // extern "C"

}  // namespace baton::fake_cuda
