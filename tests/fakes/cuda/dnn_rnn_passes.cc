// cuDNN's recurrent layers: forward and back, one step after the other.
#include <cmath>
#include <cstring>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/dnn.h"
#include "tests/fakes/cuda/dnn_rnn.h"

namespace baton::fake_cuda {
namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// What a reserve begins with, so that each pass finds the one before it.
constexpr float kForwardDone = 1234.5f, kDataDone = 5432.25f;

struct Network {
  cudnnRNNStruct rnn;
  cudnnRNNDataStruct x, y;
  const float* weights;
  size_t gates() const { return GatesOf(rnn); }
  size_t hidden() const { return static_cast<size_t>(rnn.hidden); }
  bool lstm() const { return rnn.cell == CUDNN_LSTM; }
  size_t length(size_t b) const { return static_cast<size_t>(x.lengths[b]); }
  size_t batch() const { return static_cast<size_t>(x.batch); }

  // matrix * vector + bias, of one part.
  double Row(size_t part, size_t row, const float* vector) const {
    const PartPlace place = PlaceOfPart(rnn, part);
    double sum = weights[place.bias + row];
    if (vector == nullptr) return sum;
    for (size_t i = 0; i < place.width; ++i) {
      sum += static_cast<double>(weights[place.matrix + row * place.width + i]) *
             static_cast<double>(vector[i]);
    }
    return sum;
  }
  // Of position t of sample b: (gates + 1) x hidden activations, and as many gradients.
  float* Kept(float* reserve, size_t t, size_t b) const {
    return reserve + kReserveHeader + (t * batch() + b) * 2 * (gates() + 1) * hidden();
  }
  float* Slopes(float* reserve, size_t t, size_t b) const {
    return Kept(reserve, t, b) + (gates() + 1) * hidden();
  }
};

// One step of one sample: h, and what is kept of it. `before`: h of the step before, or null;
// `cell`: c of the step before (LSTM), or null.
void Step(const Network& net, const float* x, const float* before, const float* cell, float* kept,
          float* h) {
  const size_t hidden = net.hidden(), gates = net.gates();
  for (size_t j = 0; j < hidden; ++j) {
    if (net.lstm()) {
      double gate[4];
      for (size_t g = 0; g < 4; ++g) {
        const double sum = net.Row(g, j, x) + net.Row(gates + g, j, before);
        gate[g] = g == 2 ? std::tanh(sum) : Sigmoid(sum);
        kept[g * hidden + j] = static_cast<float>(gate[g]);
      }
      const double old = cell == nullptr ? 0 : static_cast<double>(cell[j]);
      const double fresh = gate[1] * old + gate[0] * gate[2];
      kept[4 * hidden + j] = static_cast<float>(fresh);
      h[j] = static_cast<float>(gate[3] * std::tanh(fresh));
      continue;
    }
    const double r = Sigmoid(net.Row(0, j, x) + net.Row(gates, j, before));
    const double z = Sigmoid(net.Row(1, j, x) + net.Row(gates + 1, j, before));
    const double share = net.Row(gates + 2, j, before);
    const double fresh = std::tanh(net.Row(2, j, x) + r * share);
    const double old = before == nullptr ? 0 : static_cast<double>(before[j]);
    kept[j] = static_cast<float>(r);
    kept[hidden + j] = static_cast<float>(z);
    kept[2 * hidden + j] = static_cast<float>(fresh);
    kept[3 * hidden + j] = static_cast<float>(share);
    h[j] = static_cast<float>((1 - z) * fresh + z * old);
  }
}

void Forward(const Network& net, const float* x, float* y, float* reserve) {
  std::vector<float> kept_of_one(2 * net.gates() * net.hidden() * 2);
  const size_t size = (net.gates() + 1) * net.hidden();
  for (size_t b = 0; b < net.batch(); ++b) {
    std::vector<float> before, cell;
    for (size_t t = 0; t < net.length(b); ++t) {
      std::vector<float> kept(size), h(net.hidden());
      Step(net, x + PlaceOfVector(net.x, t, b), t == 0 ? nullptr : before.data(),
           t == 0 ? nullptr : cell.data(), kept.data(), h.data());
      std::memcpy(y + PlaceOfVector(net.y, t, b), h.data(), h.size() * sizeof(float));
      if (reserve != nullptr) {
        std::memcpy(net.Kept(reserve, t, b), kept.data(), size * sizeof(float));
      }
      cell.assign(kept.end() - static_cast<std::ptrdiff_t>(net.hidden()), kept.end());
      before = std::move(h);
    }
  }
  if (reserve != nullptr) reserve[0] = kForwardDone;
}

// d loss / d sums of one step into `slopes`: one row of hidden for each part of x, and one more for
// the state's part of GRU's new state. `dcell` and `dbefore` are changed to the step before's.
void StepBack(const Network& net, const float* kept, const float* before, const float* cell,
              const std::vector<double>& dh, std::vector<double>& dcell, float* slopes,
              std::vector<double>& dbefore) {
  const size_t hidden = net.hidden();
  for (size_t j = 0; j < hidden; ++j) {
    const auto at = [&](size_t row) { return static_cast<double>(kept[row * hidden + j]); };
    const auto put = [&](size_t row, double value) {
      slopes[row * hidden + j] = static_cast<float>(value);
    };
    if (net.lstm()) {
      const double i = at(0), f = at(1), g = at(2), o = at(3), bent = std::tanh(at(4));
      const double old = cell == nullptr ? 0 : static_cast<double>(cell[j]);
      const double dc = dcell[j] + dh[j] * o * (1 - bent * bent);
      put(0, dc * g * i * (1 - i));
      put(1, dc * old * f * (1 - f));
      put(2, dc * i * (1 - g * g));
      put(3, dh[j] * bent * o * (1 - o));
      dcell[j] = dc * f;
      dbefore[j] = 0;
      continue;
    }
    const double r = at(0), z = at(1), fresh = at(2), share = at(3);
    const double old = before == nullptr ? 0 : static_cast<double>(before[j]);
    const double dsum = dh[j] * (1 - z) * (1 - fresh * fresh);
    put(0, dsum * share * r * (1 - r));
    put(1, dh[j] * (old - fresh) * z * (1 - z));
    put(2, dsum);
    put(3, dsum * r);
    dbefore[j] = dh[j] * z;
  }
}

// The row of slopes that belongs to a part.
size_t SlopeRow(const Network& net, size_t part) {
  const size_t gates = net.gates();
  if (part < gates) return part;
  return !net.lstm() && part == gates + 2 ? 3 : part - gates;
}

void AddThrough(const Network& net, size_t part, const float* slopes, double* to) {
  const PartPlace place = PlaceOfPart(net.rnn, part);
  for (size_t row = 0; row < net.hidden(); ++row) {
    const auto slope = static_cast<double>(slopes[SlopeRow(net, part) * net.hidden() + row]);
    for (size_t i = 0; i < place.width; ++i) {
      to[i] += slope * static_cast<double>(net.weights[place.matrix + row * place.width + i]);
    }
  }
}

void BackwardData(const Network& net, const float* y, const float* dy, float* dx, float* reserve) {
  if (reserve[0] != kForwardDone) Violation("cuDNN: backward without forward's reserve");
  const size_t hidden = net.hidden(), gates = net.gates();
  for (size_t b = 0; b < net.batch(); ++b) {
    std::vector<double> dcell(hidden), dh(hidden), dbefore(hidden);
    for (size_t t = net.length(b); t-- > 0;) {
      const float* own = dy + PlaceOfVector(net.y, t, b);
      for (size_t j = 0; j < hidden; ++j) dh[j] = dbefore[j] + static_cast<double>(own[j]);
      const float* before = t == 0 ? nullptr : y + PlaceOfVector(net.y, t - 1, b);
      const float* cell = t == 0 ? nullptr : net.Kept(reserve, t - 1, b) + 4 * hidden;
      float* slopes = net.Slopes(reserve, t, b);
      StepBack(net, net.Kept(reserve, t, b), before, net.lstm() ? cell : nullptr, dh, dcell, slopes,
               dbefore);
      std::vector<double> of_x(static_cast<size_t>(net.rnn.in));
      for (size_t g = 0; g < gates; ++g) {
        AddThrough(net, g, slopes, of_x.data());
        AddThrough(net, gates + g, slopes, dbefore.data());
      }
      float* to = dx + PlaceOfVector(net.x, t, b);
      for (size_t i = 0; i < of_x.size(); ++i) to[i] = static_cast<float>(of_x[i]);
    }
  }
  reserve[0] = kDataDone;
}

void BackwardWeights(const Network& net, const float* x, const float* y, float* dweights,
                     float* reserve) {
  if (reserve[0] != kDataDone) Violation("cuDNN: the weights' gradient before that of the data");
  std::vector<double> sums(SpaceFloats(net.rnn));
  for (size_t b = 0; b < net.batch(); ++b) {
    for (size_t t = 0; t < net.length(b); ++t) {
      const float* slopes = net.Slopes(reserve, t, b);
      for (size_t part = 0; part < 2 * net.gates(); ++part) {
        const PartPlace place = PlaceOfPart(net.rnn, part);
        const float* vector = part < net.gates() ? x + PlaceOfVector(net.x, t, b)
                              : t == 0           ? nullptr
                                                 : y + PlaceOfVector(net.y, t - 1, b);
        for (size_t row = 0; row < net.hidden(); ++row) {
          const auto slope = static_cast<double>(slopes[SlopeRow(net, part) * net.hidden() + row]);
          sums[place.bias + row] += slope;
          for (size_t i = 0; vector != nullptr && i < place.width; ++i) {
            sums[place.matrix + row * place.width + i] += slope * static_cast<double>(vector[i]);
          }
        }
      }
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    dweights[i] = static_cast<float>(static_cast<double>(dweights[i]) + sums[i]);
  }
}

// The memory of a call.
struct Spaces {
  const int32_t* lengths;
  size_t weight_bytes;
  const void* weights;
  size_t work_bytes;
  const void* work;
  size_t reserve_bytes;
  const void* reserve;
};

cudnnStatus_t CheckCall(cudnnHandle_t handle, const cudnnRNNStruct& rnn,
                        const cudnnRNNDataStruct& x, const cudnnRNNDataStruct& y,
                        const cudnnTensorStruct& state, const Spaces& spaces, bool trains) {
  if (const cudnnStatus_t failure = Usable(handle)) return failure;
  if (!rnn.set || !x.set || !y.set || x.width != rnn.in || y.width != rnn.hidden ||
      x.lengths != y.lengths || x.positions != y.positions || x.layout != y.layout) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (x.layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED &&
      (rnn.flags & CUDNN_RNN_PADDED_IO_ENABLED) == 0) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  const std::vector<int> extents{1, x.batch, rnn.hidden};
  if (state.extents != extents) return CUDNN_STATUS_BAD_PARAM;
  if (spaces.weight_bytes < SpaceFloats(rnn) * sizeof(float)) return CUDNN_STATUS_BAD_PARAM;
  RequireCard(spaces.weights, spaces.weight_bytes, handle->device, "cuDNN: an RNN's weights");
  const size_t work = WorkspaceFloats(rnn, x) * sizeof(float);
  if (const auto failure = CheckWorkspace(*handle, spaces.work, spaces.work_bytes, work)) {
    return failure;
  }
  if (trains) {
    const size_t reserve = ReserveFloats(rnn, x) * sizeof(float);
    if (spaces.reserve_bytes < reserve) return CUDNN_STATUS_BAD_PARAM;
    RequireCard(spaces.reserve, spaces.reserve_bytes, handle->device, "cuDNN: an RNN's reserve");
  }
  if (spaces.lengths != nullptr) {
    RequireCard(spaces.lengths, x.lengths.size() * sizeof(int32_t), handle->device,
                "cuDNN: the lengths of an RNN's sequences");
  }
  return CUDNN_STATUS_SUCCESS;
}

void RequireValues(cudnnHandle_t handle, const cudnnRNNDataStruct& data, const void* memory,
                   const char* what) {
  RequireCard(memory, CountOf(data) * sizeof(float), handle->device,
              std::string("cuDNN: an RNN's ") + what);
}

void CheckLengths(const cudnnRNNDataStruct& x, const int32_t* lengths) {
  if (lengths == nullptr) return;
  if (!std::equal(x.lengths.begin(), x.lengths.end(), lengths)) {
    Violation("cuDNN: lengths on the card that are not the descriptor's");
  }
}

bool AnyState(std::initializer_list<const void*> states) {
  for (const void* state : states) {
    if (state != nullptr) return true;
  }
  return false;
}

}  // namespace
extern "C" {
cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                              cudnnForwardMode_t mode, const int32_t lengths[],
                              cudnnRNNDataDescriptor_t x_shape, const void* x,
                              cudnnRNNDataDescriptor_t y_shape, void* y,
                              cudnnTensorDescriptor_t h_shape, const void* hx, void* hy,
                              cudnnTensorDescriptor_t, const void* cx, void* cy,
                              size_t weight_bytes, const void* weights, size_t work_bytes,
                              void* work, size_t reserve_bytes, void* reserve) {
  const bool trains = mode == CUDNN_FWD_MODE_TRAINING;
  const Spaces spaces{lengths, weight_bytes, weights, work_bytes, work, reserve_bytes, reserve};
  if (const auto failure = CheckCall(handle, *rnn, *x_shape, *y_shape, *h_shape, spaces, trains)) {
    return failure;
  }
  if (AnyState({hx, hy, cx, cy})) return CUDNN_STATUS_NOT_SUPPORTED;
  RequireValues(handle, *x_shape, x, "x");
  RequireValues(handle, *y_shape, y, "y");
  const Network net{*rnn, *x_shape, *y_shape, static_cast<const float*>(weights)};
  return GiveWork(handle, [=] {
    CheckLengths(net.x, lengths);
    std::memset(work, 0xFF, work_bytes);
    Forward(net, static_cast<const float*>(x), static_cast<float*>(y),
            trains ? static_cast<float*>(reserve) : nullptr);
  });
}

cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                      const int32_t lengths[], cudnnRNNDataDescriptor_t y_shape,
                                      const void* y, const void* dy,
                                      cudnnRNNDataDescriptor_t x_shape, void* dx,
                                      cudnnTensorDescriptor_t h_shape, const void* hx,
                                      const void* dhy, void* dhx, cudnnTensorDescriptor_t,
                                      const void* cx, const void* dcy, void* dcx,
                                      size_t weight_bytes, const void* weights, size_t work_bytes,
                                      void* work, size_t reserve_bytes, void* reserve) {
  const Spaces spaces{lengths, weight_bytes, weights, work_bytes, work, reserve_bytes, reserve};
  if (const auto failure = CheckCall(handle, *rnn, *x_shape, *y_shape, *h_shape, spaces, true)) {
    return failure;
  }
  if (AnyState({hx, dhy, dhx, cx, dcy, dcx})) return CUDNN_STATUS_NOT_SUPPORTED;
  RequireValues(handle, *y_shape, y, "y");
  RequireValues(handle, *y_shape, dy, "dy");
  RequireValues(handle, *x_shape, dx, "dx");
  const Network net{*rnn, *x_shape, *y_shape, static_cast<const float*>(weights)};
  return GiveWork(handle, [=] {
    CheckLengths(net.x, lengths);
    std::memset(work, 0xFF, work_bytes);
    BackwardData(net, static_cast<const float*>(y), static_cast<const float*>(dy),
                 static_cast<float*>(dx), static_cast<float*>(reserve));
  });
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                         cudnnWgradMode_t mode, const int32_t lengths[],
                                         cudnnRNNDataDescriptor_t x_shape, const void* x,
                                         cudnnTensorDescriptor_t h_shape, const void* hx,
                                         cudnnRNNDataDescriptor_t y_shape, const void* y,
                                         size_t weight_bytes, void* dweights, size_t work_bytes,
                                         void* work, size_t reserve_bytes, void* reserve) {
  if (mode != CUDNN_WGRAD_MODE_ADD || hx != nullptr) return CUDNN_STATUS_NOT_SUPPORTED;
  const Spaces spaces{lengths, weight_bytes, dweights, work_bytes, work, reserve_bytes, reserve};
  if (const auto failure = CheckCall(handle, *rnn, *x_shape, *y_shape, *h_shape, spaces, true)) {
    return failure;
  }
  RequireValues(handle, *x_shape, x, "x");
  RequireValues(handle, *y_shape, y, "y");
  const Network net{*rnn, *x_shape, *y_shape, nullptr};
  return GiveWork(handle, [=] {
    CheckLengths(net.x, lengths);
    std::memset(work, 0xFF, work_bytes);
    BackwardWeights(net, static_cast<const float*>(x), static_cast<const float*>(y),
                    static_cast<float*>(dweights), static_cast<float*>(reserve));
  });
}
}  // extern "C"

}  // namespace baton::fake_cuda
