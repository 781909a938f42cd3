#include "tests/fakes/cuda/dnn_rnn.h"

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/dnn.h"

namespace baton::fake_cuda {
namespace {

constexpr size_t kGap = 32;  // floats

size_t WidthOf(const cudnnRNNStruct& rnn, size_t part) {
  return static_cast<size_t>(part < GatesOf(rnn) ? rnn.in : rnn.hidden);
}

}  // namespace

// The biases first, then the matrices, each behind a gap.
PartPlace PlaceOfPart(const cudnnRNNStruct& rnn, size_t part) {
  const auto hidden = static_cast<size_t>(rnn.hidden);
  PartPlace place{};
  place.bias = kGap + part * (hidden + kGap);
  place.width = WidthOf(rnn, part);
  place.matrix = kGap + 2 * GatesOf(rnn) * (hidden + kGap);
  for (size_t before = 0; before < part; ++before) {
    place.matrix += hidden * WidthOf(rnn, before) + kGap;
  }
  return place;
}

size_t SpaceFloats(const cudnnRNNStruct& rnn) {
  const PartPlace last = PlaceOfPart(rnn, 2 * GatesOf(rnn) - 1);
  return last.matrix + last.width * static_cast<size_t>(rnn.hidden) + kGap;
}

size_t PlaceOfVector(const cudnnRNNDataStruct& data, size_t t, size_t b) {
  const auto width = static_cast<size_t>(data.width);
  switch (data.layout) {
    case CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED:
      return (t * static_cast<size_t>(data.batch) + b) * width;
    case CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED:
      return (b * static_cast<size_t>(data.positions) + t) * width;
    case CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED:
      break;
  }
  size_t before = b;  // the samples that are as long, position by position
  for (size_t s = 0; s < t; ++s) {
    for (const int32_t length : data.lengths) before += static_cast<size_t>(length) > s ? 1 : 0;
  }
  return before * width;
}

size_t CountOf(const cudnnRNNDataStruct& data) {
  size_t vectors = static_cast<size_t>(data.positions) * static_cast<size_t>(data.batch);
  if (data.layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED) {
    vectors = 0;
    for (const int32_t length : data.lengths) vectors += static_cast<size_t>(length);
  }
  return vectors * static_cast<size_t>(data.width);
}

extern "C" {
cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* dropout) {
  *dropout = new cudnnDropoutStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t dropout) {
  delete dropout;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t dropout, cudnnHandle_t handle,
                                        float rate, void*, size_t, unsigned long long) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (rate != 0) return CUDNN_STATUS_NOT_SUPPORTED;
  *dropout = {rate, true};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* rnn) {
  *rnn = new cudnnRNNStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t rnn) {
  delete rnn;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algorithm,
                                       cudnnRNNMode_t cell, cudnnRNNBiasMode_t bias,
                                       cudnnDirectionMode_t direction, cudnnRNNInputMode_t input,
                                       cudnnDataType_t type, cudnnDataType_t precision,
                                       cudnnMathType_t math, int32_t in, int32_t hidden,
                                       int32_t projected, int32_t layers,
                                       cudnnDropoutDescriptor_t dropout, uint32_t flags) {
  if (in <= 0 || hidden <= 0 || projected != hidden) return CUDNN_STATUS_BAD_PARAM;
  if (algorithm != CUDNN_RNN_ALGO_STANDARD || (cell != CUDNN_LSTM && cell != CUDNN_GRU) ||
      bias != CUDNN_RNN_DOUBLE_BIAS || direction != CUDNN_UNIDIRECTIONAL ||
      input != CUDNN_LINEAR_INPUT || type != CUDNN_DATA_FLOAT || precision != CUDNN_DATA_FLOAT ||
      math != CUDNN_FMA_MATH || layers != 1) {
    return CUDNN_STATUS_NOT_SUPPORTED;
  }
  // The manual wants one that was created and set, also where nothing is dropped.
  if (dropout == nullptr || !dropout->set) return CUDNN_STATUS_BAD_PARAM;
  *rnn = {cell, in, hidden, flags, true};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* data) {
  *data = new cudnnRNNDataStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t data) {
  delete data;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t data, cudnnDataType_t type,
                                        cudnnRNNDataLayout_t layout, int positions, int batch,
                                        int width, const int lengths[], void*) {
  if (type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
  if (positions <= 0 || batch <= 0 || width <= 0) return CUDNN_STATUS_BAD_PARAM;
  for (int b = 0; b < batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > positions) return CUDNN_STATUS_BAD_PARAM;
    if (layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED && b > 0 && lengths[b] > lengths[b - 1]) {
      return CUDNN_STATUS_BAD_PARAM;
    }
  }
  *data = {layout, positions, batch, width, {lengths, lengths + batch}, true};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                         size_t* bytes) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (!rnn->set) return CUDNN_STATUS_BAD_PARAM;
  *bytes = SpaceFloats(*rnn) * sizeof(float);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                        cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t x,
                                        size_t* workspace, size_t* reserve) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (!rnn->set || !x->set || x->width != rnn->in) return CUDNN_STATUS_BAD_PARAM;
  *workspace = WorkspaceFloats(*rnn, *x) * sizeof(float);
  *reserve = mode == CUDNN_FWD_MODE_TRAINING ? ReserveFloats(*rnn, *x) * sizeof(float) : 0;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int32_t layer,
                                      size_t bytes, const void* space, int32_t part,
                                      cudnnTensorDescriptor_t matrix_shape, void** matrix,
                                      cudnnTensorDescriptor_t bias_shape, void** bias) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  const auto parts = static_cast<int32_t>(2 * GatesOf(*rnn));
  if (!rnn->set || layer != 0 || part < 0 || part >= parts ||
      bytes < SpaceFloats(*rnn) * sizeof(float)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  const PartPlace place = PlaceOfPart(*rnn, static_cast<size_t>(part));
  const int width = static_cast<int>(place.width), hidden = rnn->hidden;
  *matrix_shape = {CUDNN_DATA_FLOAT, {1, hidden, width}, {hidden * width, width, 1}};
  *bias_shape = {CUDNN_DATA_FLOAT, {1, hidden, 1}, {hidden, 1, 1}};
  auto* floats = static_cast<float*>(const_cast<void*>(space));
  *matrix = floats + place.matrix;
  *bias = floats + place.bias;
  return CUDNN_STATUS_SUCCESS;
}
}  // extern "C"

}  // namespace baton::fake_cuda
