// cuDNN's recurrent layers: descriptors, and where their parameters and values lie.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <vector>

struct cudnnDropoutStruct {
  float rate = 0;
  bool set = false;
};

struct cudnnRNNStruct {
  cudnnRNNMode_t cell = CUDNN_LSTM;
  int32_t in = 0, hidden = 0;
  uint32_t flags = 0;
  bool set = false;
};

struct cudnnRNNDataStruct {
  cudnnRNNDataLayout_t layout = CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED;
  int positions = 0, batch = 0, width = 0;
  std::vector<int32_t> lengths;
  bool set = false;
};

namespace baton::fake_cuda {

inline size_t GatesOf(const cudnnRNNStruct& rnn) { return rnn.cell == CUDNN_LSTM ? 4 : 3; }

// Part `part` of 2 * gates, in the order of cuDNN's linLayerID: the matrices of x, then those of
// the state. In floats from the begin of the space; gaps lie between, as in cuDNN's own.
struct PartPlace {
  size_t matrix, bias, width;
};
PartPlace PlaceOfPart(const cudnnRNNStruct& rnn, size_t part);
size_t SpaceFloats(const cudnnRNNStruct& rnn);

// Value 0 of sample `b` at position `t`.
size_t PlaceOfVector(const cudnnRNNDataStruct& data, size_t t, size_t b);
size_t CountOf(const cudnnRNNDataStruct& data);
// Where the activations of a position lie in the reserve, behind a header: gates and then the cell
// (LSTM) or the state's share of the new one (GRU), before the gate.
inline constexpr size_t kReserveHeader = 4;
inline size_t ReserveFloats(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x) {
  return kReserveHeader + static_cast<size_t>(x.positions) * static_cast<size_t>(x.batch) *
                              (GatesOf(rnn) + 1) * static_cast<size_t>(rnn.hidden) * 2;
}
inline size_t WorkspaceFloats(const cudnnRNNStruct& rnn, const cudnnRNNDataStruct& x) {
  return static_cast<size_t>(x.batch) * GatesOf(rnn) * static_cast<size_t>(rnn.hidden);
}

}  // namespace baton::fake_cuda
